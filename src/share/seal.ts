/**
 * Makes a tree read-only where it is served already. The attributes of a mount do not spread to its copies in other namespaces, so somebody has to
 * go there, by a way on which every name was made by runv.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { RunvError } from "../base/error";
import { failureOf, spawnProgram } from "../hypervisor/spawn-program";
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  CLONE_NEWNS,
  MOUNT_ATTR_RDONLY,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
} from "../linux/constants";
import { Assembler } from "../program/assembler";
import { repeatedly } from "../program/repeat";

/**
 * Makes the root of an attached tree read-only in the mount namespaces of other processes.
 * @param pids who may serve it
 * @param device the share's, as mountinfo has it
 * @param path below the share
 * @throws RunvError SHARE_SEAL
 */
export async function sealElsewhere(pids: Iterable<number>, device: string, path: string): Promise<void> {
  const namespaces = new Set([namespaceOf(process.pid)]);
  for (const pid of pids) {
    const namespace = namespaceOf(pid);
    if (namespace === undefined || namespaces.has(namespace)) continue;
    namespaces.add(namespace);
    for (const place of placesIn(mountinfoOf(pid), device, path)) await seal(pid, place);
  }
}

/** Where in a mount namespace the tree is that is at a path of the share. */
export function placesIn(mountinfo: string, device: string, path: string): string[] {
  const mounts = mountinfo.split("\n").map((line) => line.split(" "));
  const shares = new Map(mounts.filter(([, , number]) => number === device).map(([id, , , , point]) => [id, point]));
  return mounts.flatMap(([, parent, , , point]) => {
    const share = shares.get(parent);
    const place = share === "/" ? `/${path}` : `${share}/${path}`;
    return share !== undefined && point === place ? [place] : [];
  });
}

async function seal(pid: number, place: string): Promise<void> {
  const p = new Assembler();
  // Places are as this process sees them, whose root need not be that of its namespace (chroot(2)).
  p.doing("open the root of who serves the share");
  const root = p.value("openat", [AT_FDCWD, p.text(`/proc/${pid}/root`), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  p.doing("enter the namespace of who serves the share");
  p.syscall("setns", [p.value("openat", [AT_FDCWD, p.text(`/proc/${pid}/ns/mnt`), O_RDONLY | O_CLOEXEC]), CLONE_NEWNS]);
  p.doing("make the root file system read-only on the host");
  const attributes = p.bytes(new Uint8Array(new BigUint64Array([BigInt(MOUNT_ATTR_RDONLY), 0n, 0n, 0n]).buffer));
  // Busy as long as a file is open for writing, which the guest may be about to close.
  repeatedly(p, (again) =>
    p.syscall("mount_setattr", [root, p.text(place.slice(1)), AT_SYMLINK_NOFOLLOW, attributes, 32], {
      accept: ["EBUSY"],
      otherwise: again,
    }),
  );
  p.syscall("exit_group", [0]);
  const program = p.assemble();
  const child = spawnProgram(program, ["ignore", "ignore", "pipe"]);
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code === 0 || namespaceOf(pid) === undefined) return;
  const cause = failureOf(program, code, said);
  throw new RunvError("SHARE_SEAL", cause?.message ?? `make ${place} read-only on the host: exit code ${code}`, {
    cause,
  });
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    // It has ended.
    return undefined;
  }
}

function mountinfoOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, "utf8");
  } catch {
    return "";
  }
}
