/**
 * The share's server. Libvirt's QEMU runs under a user of its own without privileges, so it could not serve files of all users; virtiofsd
 * does, as a child of the monitor, in whose mount namespace the share is.
 */
import { RunvError } from "../../base/error";
import { isProgram } from "../programs";
import { spawnTied } from "../tied";

const usual = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd", "/usr/bin/virtiofsd"];
export const virtiofsdHint = "apt-get install virtiofsd (Debian 12: qemu-system-common; dnf install virtiofsd)";

/** Finds it. @throws RunvError VM_VIRTIOFSD_MISSING */
export function findVirtiofsd(configured: string | undefined): string {
  const found = (configured === undefined ? usual : [configured]).find(isProgram);
  if (found !== undefined) return found;
  const where = configured === undefined ? "virtiofsd is not installed" : `no program at ${configured}`;
  throw new RunvError("VM_VIRTIOFSD_MISSING", `share files with libvirt's machine: ${where}`, { hint: virtiofsdHint });
}

/**
 * Starts it. It ends when the machine lets go of it.
 * @param socket a listening socket, of which it has a copy then
 */
export function startVirtiofsd(program: string, directory: string, socket: number) {
  // The two there are, QEMU's in C and its successor in Rust, have these in common.
  const options = [`source=${directory}`, "cache=auto", "xattr", "announce_submounts", "sandbox=namespace"];
  const command = [program, "--fd=3", "-f", ...options.flatMap((option) => ["-o", option])];
  return spawnTied(command, ["ignore", "ignore", "ignore", socket], ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
}
