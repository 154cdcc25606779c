/**
 * Paths inside a container's root. The root file system is half-trusted: every path is resolved by the guest's kernel with
 * openat2(RESOLVE_IN_ROOT) from the root's descriptor and used as a descriptor, so that no symbolic link of the image leads
 * out of it.
 */
import { O_CLOEXEC, O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY } from "../../linux/constants";
import type { Assembler, Register, SyscallOptions } from "../../program/assembler";
import { close } from "../../program/files";
import { makeInRoot } from "./dangling";
import { howSize, openHow } from "./open-how";

/** Opens a path below `root`. @returns a register with the descriptor; −errno when an accepted error occurred */
export function openInRoot(
  p: Assembler,
  root: Register,
  path: string,
  flags: number,
  options: SyscallOptions & { mode?: number } = {},
): Register {
  const { mode = 0, ...rest } = options;
  const into = rest.into ?? p.register();
  p.syscall("openat2", [root, p.text(path), openHow(p, flags | O_CLOEXEC, mode), howSize], { ...rest, into });
  return into;
}

/** Opens a directory below `root`, which is made, with all above it, where it is missing. */
export function directoryInRoot(p: Assembler, root: Register, path: string, mode = 0o755): Register {
  const found = p.label();
  const dangling = p.label();
  const missing = p.label();
  const fd = openInRoot(p, root, path, O_PATH | O_DIRECTORY, { accept: ["ENOENT"], otherwise: missing });
  p.jump(found);
  p.place(missing);
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  const parent = openInRoot(p, root, "/", O_PATH | O_DIRECTORY);
  for (const [index, name] of names.entries()) {
    const way = `/${names.slice(0, index + 1).join("/")}`;
    p.syscall("mkdirat", [parent, p.text(name), mode], { accept: ["EEXIST"] });
    openInRoot(p, root, way, O_PATH | O_DIRECTORY, { into: fd, accept: ["ENOENT"], otherwise: dangling });
    p.syscall("close", [parent]);
    p.set(parent, fd);
  }
  p.jump(found);
  p.place(dangling);
  p.syscall("close", [parent]);
  makeInRoot(p, root, path, false, fd);
  p.place(found);
  p.release(parent);
  return fd;
}

/** Opens a file below `root` to mount something on it; it is made, empty, where it is missing. */
export function fileInRoot(p: Assembler, root: Register, path: string): Register {
  const found = p.label();
  const dangling = p.label();
  const missing = p.label();
  const fd = openInRoot(p, root, path, O_PATH, { accept: ["ENOENT"], otherwise: missing });
  p.jump(found);
  p.place(missing);
  const directory = directoryInRoot(p, root, parentOf(path));
  close(p, directory);
  const create = { mode: 0o644, into: fd, accept: ["ENOENT"], otherwise: dangling } as const;
  openInRoot(p, root, path, O_RDONLY | O_CREAT, create);
  p.jump(found);
  p.place(dangling);
  makeInRoot(p, root, path, true, fd);
  p.place(found);
  return fd;
}

/** The path of the directory that holds `path`. */
export function parentOf(path: string): string {
  return path.slice(0, path.replace(/\/+$/, "").lastIndexOf("/")) || "/";
}

/** The last name of `path`. */
export function nameOf(path: string): string {
  const clean = path.replace(/\/+$/, "");
  return clean.slice(clean.lastIndexOf("/") + 1);
}
