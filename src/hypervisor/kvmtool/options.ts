/** lkvm's command line, a pure function of what is to be started. */
import { commandLineOf } from "../../image/command-line";
import type { MachineSpec, Nic } from "../driver";

export interface KvmtoolMachine
  extends Pick<MachineSpec, "name" | "kernel" | "initrd" | "cpus" | "memoryMiB" | "share"> {
  commandLine?: readonly string[];
  nic?: Nic;
  /** Its number among this host's machines on vsock(7), and the port at which its agent is awaited. */
  vsock: { cid: number; port: number };
  /** The descriptor by which lkvm knows the tap of its interface. */
  tap: number;
}

/**
 * What a guest of kvmtool's is told by kvmtool itself (kvm__arch_set_cmdline, x86/kvm.c), but for how it ends: its machine has neither
 * ACPI nor a BIOS, and no more of a keyboard than what resets it.
 */
const platform = [
  "noapic",
  "noacpi",
  "pci=conf1",
  "i8042.direct=1",
  "i8042.dumbkbd=1",
  "i8042.nopnp=1",
  "i8042.noaux=1",
];

/** The arguments of lkvm, without its own name. */
export function lkvmArguments(machine: KvmtoolMachine): string[] {
  const { name, kernel, initrd, cpus, memoryMiB, share, nic, vsock, tap } = machine;
  return [
    ["run", "--name", name, "--nodefaults", "--loglevel", "warning"],
    ["--cpus", String(cpus), "--mem", `${memoryMiB}M`, "--console", "serial"],
    ["--vsock", String(vsock.cid)],
    share === undefined ? [] : ["--9p", `${share.path},${share.tag}`],
    ["--network", nic === undefined ? "mode=none" : network(nic, tap)],
    ["--kernel", kernel, "--initrd", initrd, "--params", kernelCommandLine(machine).join(" ")],
  ].flat();
}

/** A tap that is given lkvm would make again, and fail; one that has a path (macvtap) it takes as it is (virtio_net__tap_create, virtio/net.c). */
function network({ mac }: Nic, tap: number): string {
  return `mode=tap,fd=${tap},tapif=/dev/net/tun,guest_mac=${mac},script=none,downscript=none`;
}

function kernelCommandLine({ commandLine = [], vsock }: KvmtoolMachine): string[] {
  return [...commandLineOf(), ...platform, "loglevel=6", `runv.agent=vsock:${vsock.port}`, ...commandLine];
}
