/**
 * The server of a share over virtiofs: a child of the monitor, in whose mount namespace the share is. It reads and writes the guest's memory,
 * which QEMU hands to it over a socket.
 */
import { closeSync, openSync, rmSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../linux/constants";
import { syscall } from "../linux/local";
import { socketAddress } from "../linux/unix-socket";
import { lastWords } from "./last-words";
import { isProgram } from "./programs";
import { spawnTied } from "./tied";

const usual = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd", "/usr/bin/virtiofsd"];
const virtiofsdHint =
  "apt-get install virtiofsd (Debian 12: qemu-system-common; dnf install virtiofsd); or its path as virtiofsd in /etc/runv/config.toml";

/**
 * What the guest keeps of its files. `auto`: names and attributes for a second, pages until a file is opened again. `always`: all, for as long
 * as it has memory; what it writes it writes through at once.
 */
export type VirtioFsCache = "auto" | "always";

/** Finds it. @throws RunvError VM_VIRTIOFSD_MISSING */
export function findVirtiofsd(configured: string | undefined): string {
  const found = (configured === undefined ? usual : [configured]).find(isProgram);
  if (found !== undefined) return found;
  const where = configured === undefined ? "virtiofsd is not installed" : `no program at ${configured}`;
  throw new RunvError("VM_VIRTIOFSD_MISSING", `share files over virtiofs: ${where}`, { hint: virtiofsdHint });
}

/** One that runs. */
export interface Virtiofsd {
  /** Fulfilled when it has ended: how, in words. */
  exited: Promise<string>;
  /** Sends SIGKILL. */
  kill(): void;
}

/**
 * Starts it. It ends when the machine lets go of it, and with this process. It confines itself: to the share as its root, to namespaces of its
 * own (mount, process, network), to the capabilities that serving files takes, and by seccomp.
 * @param socket a listening socket, of which it has a copy then
 */
export function startVirtiofsd(
  program: string,
  directory: string,
  socket: number,
  cache: VirtioFsCache = "auto",
): Virtiofsd {
  // The two there are, QEMU's in C and its successor in Rust, have these in common.
  const options = [`source=${directory}`, `cache=${cache}`, "xattr", "announce_submounts", "sandbox=namespace"];
  const command = [program, "--fd=3", "-f", ...options.flatMap((option) => ["-o", option])];
  const server = spawnTied(command, ["ignore", "ignore", "pipe", socket], ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
  const words = lastWords(server.stderr);
  const exited = server.exited.then(async () => {
    const how = server.signalCode ?? `exit code ${server.exitCode}`;
    const said = await words;
    return said === "" ? `virtiofsd ended (${how})` : `virtiofsd ended (${how}): ${said}`;
  });
  return { exited, kill: () => server.kill("SIGKILL") };
}

/** One that somebody is connected to. */
export interface ConnectedVirtiofsd extends Virtiofsd {
  /** The connection, for QEMU; the caller closes it. */
  fd: number;
}

/**
 * Starts it and connects to it.
 * @param place a directory that nobody else may enter
 * @throws RunvError VM_VIRTIOFSD
 */
export function connectVirtiofsd(
  program: string,
  directory: string,
  cache: VirtioFsCache,
  place: string,
): ConnectedVirtiofsd {
  try {
    const { listening, fd } = connected(place);
    try {
      return { fd, ...startVirtiofsd(program, directory, listening, cache) };
    } catch (error) {
      closeSync(fd);
      throw error;
    } finally {
      closeSync(listening);
    }
  } catch (cause) {
    throw new RunvError("VM_VIRTIOFSD", `start virtiofsd: ${messageOf(cause)}`, { cause });
  }
}

/** A listening socket and a connection to it. By the time that this returns nobody else can connect: its name is gone. */
function connected(place: string): { listening: number; fd: number } {
  const directory = openSync(place, "r");
  const name = "virtiofsd.sock";
  // A socket's path has at most 107 bytes.
  const address = socketAddress(`/proc/self/fd/${directory}/${name}`);
  const listening = syscall("socket", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  try {
    syscall("bind", listening, address, address.length);
    syscall("listen", listening, 1);
    const fd = syscall("socket", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    syscall("connect", fd, address, address.length);
    return { listening, fd };
  } catch (error) {
    closeSync(listening);
    throw error;
  } finally {
    rmSync(`${place}/${name}`, { force: true });
    closeSync(directory);
  }
}
