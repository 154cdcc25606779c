/**
 * The disks of libvirt's QEMU, which runs under libvirt's user and may open nothing of the caller's. So each has a server, a child of the
 * monitor that holds the image, and QEMU speaks NBD with it over a socket.
 */
import { closeSync, rmSync } from "node:fs";
import { RunvError } from "../../base/error";
import { toOpen } from "../confinement";
import type { Disk } from "../driver";
import { lastWords } from "../last-words";
import { findProgram } from "../programs";
import { spawnTied } from "../tied";
import { diskXml } from "./domain";
import { listen, type Owner } from "./places";
import type { Virsh } from "./virsh";
import { withFile } from "./with-file";

/** How long a guest may take to let go of a disk, and how often it is looked. */
const releaseMs = 30_000;
const lookMs = 50;

interface Server {
  /** The device's name, for libvirt; the guest gives its own. */
  target: string;
  document: string;
  /** Ends it. @returns what it said */
  end(): Promise<string>;
}

export interface DisksOptions {
  virsh: Virsh;
  /** The machine's. */
  uuid: string;
  /** Where its sockets are, and whose. */
  directory: string;
  owner: Owner;
}

export class LibvirtDisks {
  readonly #options: DisksOptions;
  readonly #servers = new Map<string, Server>();
  #count = 0;

  constructor(options: DisksOptions) {
    this.#options = options;
  }

  /** `Machine.addDisk`. @throws RunvError VM_STORAGE_DAEMON_MISSING, VM_STORAGE_DAEMON, VM_LIBVIRT_… */
  async add(disk: Disk): Promise<void> {
    const { virsh, uuid, directory, owner } = this.#options;
    const program = findStorageDaemon();
    const target = `vd${letters(this.#count++)}`;
    const { path, fd } = listen(`${directory}/${disk.id}`, owner);
    let server: ReturnType<typeof startServer>;
    try {
      server = startServer(program, disk, fd);
    } finally {
      closeSync(fd);
    }
    const end = async () => {
      const said = await server.end();
      rmSync(path, { force: true });
      return said;
    };
    const document = diskXml(disk, target, path);
    try {
      await withFile(document, (file) => virsh.run("attach-device", uuid, file, "--live"));
    } catch (cause) {
      const said = await end();
      if (said === "") throw cause;
      throw new RunvError("VM_STORAGE_DAEMON", `serve a disk to libvirt's QEMU: ${said}`, { cause });
    }
    this.#servers.set(disk.id, { target, document, end });
  }

  /** `Machine.removeDisk`. */
  async remove(id: string): Promise<void> {
    const { virsh, uuid } = this.#options;
    const server = this.#servers.get(id);
    if (server === undefined) return;
    await withFile(server.document, (file) => virsh.run("detach-device", uuid, file, "--live"));
    const latest = performance.now() + releaseMs;
    const isThere = async () => (await virsh.run("domblklist", uuid)).includes(` ${server.target} `);
    while ((await isThere()) && performance.now() < latest) await Bun.sleep(lookMs);
    this.#servers.delete(id);
    await server.end();
  }

  /** Ends all that serves them. */
  async end(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.end()));
    this.#servers.clear();
  }
}

/** a, b, … z, aa, ab, as disks are numbered. */
function letters(number: number): string {
  const last = String.fromCharCode(97 + (number % 26));
  return number < 26 ? last : letters(Math.floor(number / 26) - 1) + last;
}

/** @throws RunvError VM_STORAGE_DAEMON_MISSING */
function findStorageDaemon(): string {
  const program = findProgram("qemu-storage-daemon");
  if (program !== undefined) return program;
  throw new RunvError("VM_STORAGE_DAEMON_MISSING", "give libvirt's QEMU a disk: no qemu-storage-daemon on PATH", {
    hint: "apt-get install qemu-utils, on Debian 12 qemu-system-common (dnf install qemu-img)",
  });
}

/** Starts QEMU's storage daemon for an image. @param socket on which it listens */
function startServer(program: string, { fd, device, format, readOnly }: Disk, socket: number): Pick<Server, "end"> {
  const access = `read-only=${readOnly ? "on" : "off"}`;
  // It opens its descriptor 3 anew, with the access that it is to have.
  const image = `driver=${device ? "host_device" : "file"},node-name=image,filename=/proc/self/fd/3,${access}`;
  const command = [
    ...[program, "--blockdev", image, "--blockdev", `driver=${format},node-name=disk,file=image,${access}`],
    ...["--nbd-server", "addr.type=fd,addr.str=4"],
    ...["--export", `type=nbd,id=disk,node-name=disk,name=disk,writable=${readOnly ? "off" : "on"}`],
  ];
  const server = spawnTied(command, ["ignore", "ignore", "pipe", fd, socket], [], toOpen);
  const words = lastWords(server.stderr);
  const end = async () => {
    server.kill("SIGTERM");
    await server.exited;
    return await words;
  };
  return { end };
}
