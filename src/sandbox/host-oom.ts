/**
 * Tells the host that a container ran out of memory in its guest. Callers wait for that at the container's cgroup on the host: an eventfd on
 * memory.oom_control in version 1, memory.events in version 2 (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst). There only the
 * kernel tells it, so it is given the occasion: a process made for this asks for more memory than there is. It is alone where it does so,
 * so the kernel has nobody else to choose.
 */
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { RunvError } from "../base/error";
import { readInit } from "../image/init-binary";
import {
  AT_FDCWD,
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  O_CLOEXEC,
  O_WRONLY,
  PROT_READ,
  PROT_WRITE,
} from "../linux/constants";
import { memoryFile } from "../linux/memory-file";
import { Assembler } from "../program/assembler";
import { writeFile, writeText } from "../program/files";
import type { Program } from "../program/program";

/** What the process may use until it has asked for too much, in bytes: enough for whoever comes into the cgroup meanwhile. */
const room = 32 << 20;
/** The kernel may have much page cache of the cgroup to give up first. */
const timeoutMs = 5_000;
/** The descriptor from which init reads the program. */
const programDescriptor = 3;
/** In version 2, where the container's processes are meanwhile, and where the end of memory is. */
export const innerCgroups = ["runv-aside", "runv-oom"] as const;

/**
 * Has the kernel report the end of memory in a cgroup, once. Blocks until that is done; nothing has changed then.
 * @param cgroup its directories, one for each hierarchy
 * @throws RunvError HOST_OOM
 */
export function repeatOomOnHost(cgroup: readonly string[]): void {
  for (const directory of cgroup) {
    if (existsSync(`${directory}/memory.limit_in_bytes`)) repeatInVersion1(directory);
    else if (existsSync(`${directory}/memory.max`)) repeatInVersion2(directory);
  }
}

/** Listeners of a cgroup hear of its own limit: it comes down for a moment, while the processes are in the cgroup above. */
function repeatInVersion1(directory: string): void {
  checkHasNoneBelow(directory);
  forAMoment((undo) => {
    move(directory, dirname(directory), (pid) => undo(() => join(directory, pid)));
    const change = (name: string, value: number) => {
      const file = `${directory}/${name}`;
      const before = read(file);
      undo(() => write(file, before));
      write(file, String(value));
    };
    const used = Number(read(`${directory}/memory.usage_in_bytes`));
    // What the hypervisor has used is not to be swapped out for this.
    change("memory.swappiness", 0);
    change("memory.limit_in_bytes", used + room);
    exhaust(directory, used + 2 * room);
  });
}

/** Listeners of a cgroup hear of all below it as well: the end of memory is in one below. It never looks empty to systemd. */
function repeatInVersion2(directory: string): void {
  checkHasNoneBelow(directory);
  const [aside, oom] = innerCgroups.map((name) => `${directory}/${name}`) as [string, string];
  forAMoment((undo) => {
    mkdirSync(aside);
    undo(() => rmdirSync(aside));
    undo(() => move(aside, directory));
    move(directory, aside);
    undo(() => write(`${directory}/cgroup.subtree_control`, "-memory"));
    write(`${directory}/cgroup.subtree_control`, "+memory");
    mkdirSync(oom);
    undo(() => rmdirSync(oom));
    write(`${oom}/memory.max`, String(room));
    exhaust(oom, 2 * room);
  });
}

/**
 * Does something, and then undoes it: the last step first, and each whether or not the others can be undone.
 * @param action gets a function to which it gives what undoes its next step
 * @throws what the action throws, or else what undoing it does
 */
function forAMoment(action: (undo: (step: () => void) => void) => void): void {
  const steps: (() => void)[] = [];
  const failures: unknown[] = [];
  const attempt = (step: () => void) => {
    try {
      step();
    } catch (error) {
      failures.push(error);
    }
  };
  attempt(() => action((step) => steps.push(step)));
  for (const step of steps.reverse()) attempt(step);
  if (failures.length > 0) throw failures[0];
}

/** Processes there would be under the same limit. */
function checkHasNoneBelow(directory: string): void {
  const below = readdirSync(directory, { withFileTypes: true }).find((entry) => entry.isDirectory());
  if (below !== undefined) throw failed(`there are cgroups of others in ${directory}: ${below.name}`);
}

/** Moves all processes of a cgroup. @param moving told of each before */
function move(from: string, to: string, moving: (pid: string) => void = () => {}): void {
  for (let left = processes(from); left.length > 0; left = processes(from)) {
    for (const pid of left) {
      moving(pid);
      join(to, pid);
    }
  }
}

function processes(directory: string): string[] {
  return read(`${directory}/cgroup.procs`).split("\n").filter(Boolean);
}

function join(directory: string, pid: string): void {
  write(`${directory}/cgroup.procs`, pid);
}

/** Runs a process in a cgroup that asks for so much memory that the kernel ends it. */
function exhaust(directory: string, bytes: number): void {
  const init = memoryFile("runv-init", readInit());
  const program = memoryFile("runv-oom", exhaustProgram(directory, bytes).bytes);
  try {
    const words = [`/proc/${process.pid}/fd/${init}`, "--exec", String(programDescriptor)];
    const { signalCode, exitCode, exitedDueToTimeout } = Bun.spawnSync(words, {
      stdio: ["ignore", "ignore", "ignore", program],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    if (signalCode === "SIGKILL" && !exitedDueToTimeout) return;
    throw failed(
      `the process that was to use it up ${exitedDueToTimeout ? "did not get there" : `ended with ${exitCode}`}`,
    );
  } finally {
    closeSync(program);
    closeSync(init);
  }
}

function exhaustProgram(directory: string, bytes: number): Program {
  const p = new Assembler();
  p.doing("use up the memory of a cgroup");
  const procs = p.value("openat", [AT_FDCWD, p.text(`${directory}/cgroup.procs`), O_WRONLY | O_CLOEXEC]);
  // The kernel chooses it before all others (proc(5)), should there be any.
  writeFile(p, "/proc/self/oom_score_adj", "1000");
  writeText(p, procs, "0");
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE;
  p.syscall("mmap", [0, bytes, PROT_READ | PROT_WRITE, flags, -1, 0]);
  return p.assemble();
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw failed(`read ${path}: ${(cause as NodeJS.ErrnoException).code}`);
  }
}

function write(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // A process that has ended meanwhile.
    if (code !== "ESRCH") throw failed(`write ${value} to ${path}: ${code}`);
  }
}

function failed(why: string): RunvError {
  return new RunvError("HOST_OOM", `tell the host that a container is out of memory: ${why}`);
}
