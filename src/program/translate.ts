/**
 * Programs for a guest of another architecture. They are written with this machine's numbers; of what they are made of, Linux's architectures have but two
 * things otherwise: the numbers of system calls, and some flags of open(2). All else that runv has guests do is the same for all of 64 bits and little-endian.
 */
import { type Architecture, numberElsewhere, syscallNumber } from "../linux/syscalls";
import { headSize, instructionSize, Kind, Op } from "./instruction";

/** A number that is no system call's: the guest's kernel answers ENOSYS. */
const none = 0xffff;
/** Which argument of openat(2) has its flags; of openat2(2), the address of a struct open_how, which begins with them. */
const flagsAt = 2;

/**
 * A program, as a RUN frame carries it, for another architecture.
 * @param payload is left as it is
 * @see docs/guest-protocol.md, "Programs"
 */
export function translate(payload: Uint8Array, from: Architecture, to: Architecture): Uint8Array {
  const bytes = new Uint8Array(payload);
  const view = new DataView(bytes.buffer);
  const count = view.getUint32(20, true);
  const data = headSize + count * instructionSize + view.getUint32(24, true) * 8;
  // Some calls have one struct together.
  const places = new Set<number>();
  const [openat, openat2] = [syscallNumber("openat", from), syscallNumber("openat2", from)];
  for (let index = 0; index < count; index++) {
    const at = headSize + index * instructionSize;
    if (view.getUint8(at) !== Op.syscall) continue;
    const number = view.getUint16(at + 8, true);
    const other = numberElsewhere(number, from, to);
    view.setUint16(at + 8, other < 0 ? none : other, true);
    const argument = at + 16 + 8 * flagsAt;
    if (number === openat && view.getUint8(at + 2 + flagsAt) === Kind.number) places.add(argument);
    if (number === openat2) places.add(data + view.getUint32(argument, true));
  }
  for (const place of places) view.setBigUint64(place, otherFlags(view.getBigUint64(place, true)), true);
  return bytes;
}

/** x86-64's, and aarch64's bit for the same, of fcntl.h: O_DIRECT and O_DIRECTORY, O_LARGEFILE and O_NOFOLLOW have changed places. */
const exchanged = [
  [0o40000n, 0o200000n],
  [0o100000n, 0o400000n],
] as const;

/** Flags of open(2) of one of both architectures as those of the other. */
function otherFlags(flags: bigint): bigint {
  let result = flags;
  for (const [one, other] of exchanged) {
    result &= ~(one | other);
    if ((flags & one) !== 0n) result |= other;
    if ((flags & other) !== 0n) result |= one;
  }
  return result;
}
