import { type Architecture, architecture } from "../linux/syscalls";

/**
 * What the guest's kernel is told, and why. Measured under TCG, where a boot costs the most: Debian's kernel goes from
 * 2.4 s of CPU to 1.75 s with these, runv's own from 1.0 s to 0.8 s.
 *
 * Left out on purpose: `mitigations=off` where the processor is real (the kernel is the wall between the processes of a container),
 * `nolapic_timer` (saves the 0.1 s in which the timer is measured, but a machine with several processors needs it),
 * `pci=noacpi` (saves 0.1 s for each device on i440fx, but turns hot-plug off), `noreplace-smp` (saves the 0.1 s in which a kernel on
 * one processor patches its locks away; every clone's run then takes 6 % more).
 */
const common: readonly string[] = [
  // A panic ends the machine at once.
  "panic=-1",
  // Half of all instructions of a boot of Debian's kernel are tests of its cryptography: 0.4 s under TCG.
  "cryptomgr.notests",
  // A grace period of RCU in microseconds instead of a dozen milliseconds. A container's start waits for several, as unmounting and joining a
  // cgroup do; what makes them dear are many processors at work, and who would be disturbed by it: nobody but the container.
  "rcupdate.rcu_expedited=1",
  // The security modules that need no profiles loaded from outside. Debian's kernel has AppArmor and TOMOYO too, which would be asked at
  // every file and process and have nothing to say.
  "lsm=landlock,lockdown,yama",
  // Huge pages for programs that ask for them. Unasked, each process that has 2 MiB in one piece would get and clear them at its first word, init
  // too: 4 MiB of each idle clone.
  "transparent_hugepage=madvise",
  // Linux 7.2 of Debian's looks every 5 ms at which memory is used (DAMON), for statistics that nobody reads.
  "damon_stat.enabled=0",
];

/** What only one architecture's kernel is told. Where the kernel and init speak, the host keeps in a file. */
const own: Readonly<Record<Architecture, readonly string[]>> = {
  // One serial port is looked for, not four. A reboot ends the machine by a triple fault, the way that no device has a say in.
  x86_64: ["console=ttyS0", "8250.nr_uarts=1", "reboot=t"],
  aarch64: ["console=ttyAMA0"],
};

/** What a kernel of this architecture is told, by default this machine's. */
export function commandLineOf(guests: Architecture = architecture): readonly string[] {
  return [...own[guests], ...common];
}

/**
 * Only warnings reach the console. Each character that does costs a trap or two; the whole log is 20 KiB. Left out for
 * those who debug.
 */
export const quiet = "quiet";

/**
 * For a processor that is emulated (TCG). Timers are late on a busy host: without `no_timer_check` the kernel may find its timer broken
 * and panic. `mitigations=off`: what the kernel does against speculation (retpolines, filling the return stack, fences) protects
 * nothing there, for what the host's processor runs is other code, in which none of it is left; and it costs a clone's run a sixth
 * of its processor time.
 */
export const underTcg: Readonly<Record<Architecture, readonly string[]>> = {
  x86_64: ["no_timer_check", "mitigations=off"],
  aarch64: ["mitigations=off"],
};
