/** A tmpfs without a mode of its own takes that of the directory which it hides, as under runc. */
import { AT_EMPTY_PATH, O_DIRECTORY, O_PATH } from "../../linux/constants";
import type { Assembler, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { openInRoot } from "./root";

/** statx(2): what is asked for, and where in struct statx it is */
const STATX_MODE = 2;
const statxSize = 256;
const modeAt = 28;

/** @returns a register with the mode of the directory at `path`; 0 when there is none */
export function hiddenMode(p: Assembler, root: Register, path: string): Register {
  const mode = p.register();
  p.set(mode, 0);
  const missing = p.label();
  const there = { accept: ["ENOENT"] as const, otherwise: missing };
  const directory = openInRoot(p, root, path, O_PATH | O_DIRECTORY, there);
  const status = p.zeroed(statxSize);
  p.syscall("statx", [directory, p.text(""), AT_EMPTY_PATH, STATX_MODE, status]);
  p.load(status.plus(modeAt), 2, mode);
  close(p, directory);
  p.place(missing);
  return mode;
}

/** Gives the root of a new file system this mode, unless it is 0. */
export function takeMode(p: Assembler, tree: Register, mode: Register): void {
  const none = p.label();
  p.jumpIf(mode, "=", 0, none);
  p.syscall("fchmodat", [tree, p.text("."), mode]);
  p.place(none);
}
