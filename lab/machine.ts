/** Runs the outer machine: QEMU with software emulation. */
import { availableParallelism } from "node:os";
import { type Architecture, architecture as ours } from "../src/linux/syscalls";
import type { LabKind } from "./kinds";

/** At most; a guest with one processor of its own and the host's side of it keep two busy. */
const mostProcessors = 2;

/** What a machine is made of besides its kind. */
export interface Machine {
  /** QEMU's arguments for what it boots. */
  boot: readonly string[];
  /** A directory whose files lie over this host's. */
  tree: string | undefined;
  /** Directories that take the place of this host's files. */
  layers: readonly string[];
  /** The directory of what is to be done, shared with the machine, which writes its exit code there. */
  order: string;
  results: string;
  /** The file to which its console goes. */
  console: string;
  /** This terminal is the shell's. */
  interactive: boolean;
}

/** How a machine ended. */
interface End {
  /** It took too long. */
  late: boolean;
  /** To be said of one that has not ended as it should: why, and how long it worked. */
  how: string;
}

/** Runs a machine to its end. Its output is this process's. */
export async function runMachine(kind: LabKind, machine: Machine, seconds: number): Promise<End> {
  const { interactive } = machine;
  const restore = interactive ? rawTerminal() : () => {};
  // It dies with this process, however that ends.
  const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", "--", ...qemu(kind, machine)], {
    stdio: [interactive ? "inherit" : "ignore", "inherit", "inherit", 1],
  });
  let late = false;
  let why: string | undefined;
  const end = (reason: string) => {
    why ??= reason;
    child.kill("SIGKILL");
  };
  const timer = setTimeout(() => {
    late = true;
    end(`was ended after ${seconds} s`);
  }, seconds * 1000);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => end(`was ended, for lab/run got ${signal}`));
  }
  const code = await child.exited;
  clearTimeout(timer);
  restore();
  const byItself = `ended by itself (qemu: exit code ${code})`;
  why ??= child.signalCode === null ? byItself : `was ended by ${child.signalCode}, which lab/run did not send`;
  // One that stood still has next to none.
  const busy = Math.round(Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6);
  return { late, how: `${why}, with ${busy} s of processor time used` };
}

function qemu(
  { architecture = ours, cpu, processors = mostProcessors, memoryMiB }: LabKind,
  { boot, tree, layers, order, results, console, interactive }: Machine,
): string[] {
  const cpus = Math.min(processors, mostProcessors, availableParallelism());
  const { program, machine, terminal } = platforms[architecture];
  return [
    [program, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ["-machine", machine, "-accel", "tcg,thread=multi", "-cpu", cpu, "-smp", String(cpus), "-m", `${memoryMiB}M`],
    // A PC's first serial port is the terminal's; `virt` has one alone.
    interactive ? terminal : [...(architecture === "x86_64" ? ["-serial", "null"] : []), ...output],
    ["-serial", `file:${value(console)}`],
    share("host", "/", ",readonly=on"),
    tree === undefined ? [] : share("tree", tree, ",readonly=on"),
    layers.flatMap((path, index) => share(`layer${index}`, path, ",readonly=on")),
    share("order", order),
    share("results", results),
    boot,
  ].flat();
}

const terminal = ["-chardev", "stdio,id=terminal,signal=off"];

/** QEMU's program and machine for each architecture, and what a terminal is there. */
const platforms: Readonly<Record<Architecture, { program: string; machine: string; terminal: string[] }>> = {
  x86_64: { program: "qemu-system-x86_64", machine: "q35", terminal: [...terminal, "-serial", "chardev:terminal"] },
  aarch64: {
    program: "qemu-system-aarch64",
    // With EL2 KVM works in it.
    machine: "virt,virtualization=on,gic-version=3",
    terminal: [...terminal, "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=terminal"],
  },
};

/** Standard output, as descriptor 3; one that reads standard input too would be closed at its end. */
const output = [
  "-add-fd set=1,fd=3 -chardev file,id=output,path=/dev/fdset/1,append=on",
  "-device virtio-serial-pci -device virtserialport,chardev=output,name=output",
].flatMap((options) => options.split(" "));

/** Files are the machine's as they are this host's: who uses a lab is root. */
function share(tag: string, path: string, more = ""): string[] {
  const fsdev = `local,id=${tag},path=${value(path)},security_model=passthrough,multidevs=remap${more}`;
  return ["-fsdev", fsdev, "-device", `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`];
}

/** A value of an option with parts: its commas are doubled. */
function value(text: string): string {
  return text.replaceAll(",", ",,");
}

function rawTerminal(): () => void {
  if (!process.stdin.isTTY) return () => {};
  process.stdin.setRawMode(true);
  return () => process.stdin.setRawMode(false);
}
