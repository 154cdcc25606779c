/** Finding the processes of a test, whoever their parent has become. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

interface Process {
  pid: number;
  parent: number;
  state: string;
  /** With spaces between the words; a zombie's is its name in brackets. */
  command: string;
}

/**
 * The processes that name the rig in their environment, where its mark is, or their command line, hold a file of it open (as QEMU does
 * its console, whose environment is empty and whose command line names no path), or descend from this one; one line each.
 */
export function processesOf(rig: string): string[] {
  const all = readProcesses();
  // A template's process, which a daemon may have started, is there for whoever comes next.
  const parents = new Map(all.map(({ pid, parent, command }) => [pid, isTemplates(command) ? 1 : parent]));
  const descends = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent === process.pid || (parent !== undefined && descends(parent));
  };
  return all
    .filter(({ pid }) => pid !== process.pid)
    .filter(
      ({ pid, command }) =>
        command.includes(rig) ||
        descends(pid) ||
        read(pid, "environ").includes(rig) ||
        (command.includes("qemu") && holds(pid, rig)),
    )
    .map(({ pid, parent, state, command }) => `process ${pid} (${state}, child of ${parent}): ${command}`);
}

function isTemplates(command: string): boolean {
  return command.endsWith(" template-process");
}

function holds(pid: number, rig: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const path = target(`/proc/${pid}/fd/${fd}`);
      // The process of a template is to stay as long as that.
      return path.includes(rig) && !path.includes(`${rig}/templates/`);
    });
  } catch {
    return false;
  }
}

function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}

function readProcesses(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const pid = Number(name);
      const match = /^\d+ \((.*)\) (\S) (\d+) /s.exec(read(pid, "stat"));
      if (match === null) return [];
      const [, comm, state, parent] = match as unknown as [string, string, string, string];
      const command = read(pid, "cmdline").replaceAll("\0", " ").trim() || `[${comm}]`;
      return [{ pid, parent: Number(parent), state, command }];
    });
}

/** A file of /proc/PID; nothing if the process has gone. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
