/** Where QEMU is among the cgroups: libvirt starts it in cgroups of its own, and it belongs into the container's. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { directoryOf, type Hierarchy, hierarchies } from "../../linux/cgroups";

export class QemuCgroups {
  readonly #pid: number;
  /** Libvirt's cgroup of version 2 for the machine. */
  readonly #home: string | undefined;

  /** @param pid of QEMU, which is where libvirt has put it */
  constructor(pid: number) {
    this.#pid = pid;
    const version2 = hierarchies().find(({ version }) => version === 2);
    this.#home = version2 && homeOf(pid, version2);
  }

  /** Puts QEMU into the cgroups of this process, which are the container's. */
  join(): void {
    for (const hierarchy of hierarchies()) this.#move(directoryOf(hierarchy, hierarchy.own));
  }

  /**
   * Has libvirt do something that puts a new thread of QEMU's into a cgroup of libvirt's: version 2 refuses that while the others are
   * not there too.
   */
  async atHome<T>(action: () => Promise<T>): Promise<T> {
    if (this.#home !== undefined) this.#move(this.#home);
    try {
      return await action();
    } finally {
      this.join();
    }
  }

  #move(directory: string): void {
    try {
      writeFileSync(`${directory}/cgroup.procs`, String(this.#pid));
    } catch (error) {
      // A hierarchy that is read-only here, or a cgroup that takes no processes: it stays where it is. Or it has ended.
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!["EROFS", "EACCES", "EPERM", "EOPNOTSUPP", "EBUSY", "ENOENT", "ESRCH"].includes(code)) throw error;
    }
  }
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
