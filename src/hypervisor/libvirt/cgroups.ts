/** Where QEMU is among the cgroups: libvirt starts it in cgroups of its own, and it belongs into the container's. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { directoryOf, type Hierarchy, hierarchies } from "../../linux/cgroups";
import { Assembler } from "../../program/assembler";
import { tie } from "../confinement";
import { spawnProgram } from "../spawn-program";

export class QemuCgroups {
  readonly #pid: number;
  /** Libvirt's cgroup of version 2 for the machine. */
  readonly #home: string | undefined;
  /** Systemd removes a scope that nobody is in any more, and with it libvirt's cgroups: this process stays. */
  readonly #keeper: ReturnType<typeof startKeeper> | undefined;

  /** @param pid of QEMU, which is where libvirt has put it */
  constructor(pid: number) {
    this.#pid = pid;
    const version2 = hierarchies().find(({ version }) => version === 2);
    this.#home = version2 && homeOf(pid, version2);
    if (this.#home === undefined || !/\.scope(\/|$)/.test(this.#home)) return;
    this.#keeper = startKeeper();
    move(this.#keeper.pid, this.#home);
  }

  /** Lets go of libvirt's cgroups, when the machine has ended. */
  async end(): Promise<void> {
    this.#keeper?.kill("SIGKILL");
    await this.#keeper?.exited;
  }

  /** Puts QEMU into the cgroups of this process, which are the container's. */
  join(): void {
    for (const hierarchy of hierarchies()) move(this.#pid, directoryOf(hierarchy, hierarchy.own));
  }

  /**
   * Has libvirt do something that puts a new thread of QEMU's into a cgroup of libvirt's: version 2 refuses that while the others are
   * not there too.
   */
  async atHome<T>(action: () => Promise<T>): Promise<T> {
    if (this.#home !== undefined) move(this.#pid, this.#home);
    try {
      return await action();
    } finally {
      this.join();
    }
  }
}

function move(pid: number, cgroup: string): void {
  try {
    writeFileSync(`${cgroup}/cgroup.procs`, String(pid));
  } catch (error) {
    // A hierarchy that is read-only here, or a cgroup that takes no processes: it stays where it is. Or it has ended.
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EROFS", "EACCES", "EPERM", "EOPNOTSUPP", "EBUSY", "ENOENT", "ESRCH"].includes(code)) throw error;
  }
}

/** Starts a process that does nothing, and ends with this one. */
function startKeeper() {
  const p = new Assembler();
  tie(p, "the process that keeps libvirt's scope", process.pid);
  p.syscall("ppoll", [0, 0, 0, 0, 0]);
  const keeper = spawnProgram(p.assemble(), ["ignore", "ignore", "ignore"]);
  keeper.unref();
  return keeper;
}

/** The cgroup that takes whole processes: libvirt makes ones for threads below it. */
function homeOf(pid: number, hierarchy: Hierarchy): string | undefined {
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
  if (path === undefined) return undefined;
  let directory = directoryOf(hierarchy, path);
  while (directory !== hierarchy.mountPoint && typeOf(directory) === "threaded") directory = dirname(directory);
  return directory;
}

function typeOf(directory: string): string {
  try {
    return readFileSync(`${directory}/cgroup.type`, "utf8").trim();
  } catch {
    return "";
  }
}
