/** What statx(2) says of an open file, in pieces of programs. */
import { AT_EMPTY_PATH, S_IFCHR } from "../../linux/constants";
import type { Address, Assembler, Label, Operand } from "../../program/assembler";

/** STATX_BASIC_STATS */
const basicStats = 0x7ff;
const statxSize = 256;
/** Where struct statx has what is looked at. */
export const statusAt = { uid: 20, mode: 28, majorOfDevice: 128, minorOfDevice: 132 } as const;
/** S_IFMT, of the upper byte of a mode: a store of a file's type. */
const typeMask = 0xf0;

/** @returns where the status of an open file is */
export function statusOf(p: Assembler, fd: Operand): Address {
  const status = p.zeroed(statxSize);
  p.syscall("statx", [fd, p.text(""), AT_EMPTY_PATH, basicStats, status]);
  return status;
}

/** Goes on at `otherwise` unless a file is the kernel's null device, by its numbers: a path says nothing of that. */
export function unlessNull(p: Assembler, status: Address, otherwise: Label): void {
  const value = p.register();
  for (const [at, number] of [
    [statusAt.majorOfDevice, 1],
    [statusAt.minorOfDevice, 3],
  ] as const) {
    p.load(status.plus(at), 4, value);
    p.jumpIf(value, "≠", number, otherwise);
  }
  // Of the mode's upper byte the lower half are set-id bits and the sticky bit, which no device here has a use for.
  p.load(status.plus(statusAt.mode + 1), 1, value);
  const least = (S_IFCHR >> 8) & typeMask;
  p.jumpIf(value, "<", least, otherwise);
  p.jumpIf(value, "≥", least + 0x10, otherwise);
  p.release(value);
}
