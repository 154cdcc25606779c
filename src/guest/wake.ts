import { AT_FDCWD, CLOCK_REALTIME, O_CLOEXEC, O_WRONLY, RNDADDENTROPY, RNDRESEEDCRNG } from "../linux/constants";
import { Assembler } from "../program/assembler";
import { close } from "../program/files";
import type { Program } from "../program/program";

/** Bytes of the host's randomness that a clone is given: as much as the kernel's pool holds (random(4)). */
const entropyBytes = 64;

/**
 * What a clone must do before anything else runs in it: it has the random numbers and the time of the machine that it was made from.
 * The first read of /proc/sys/kernel/random/boot_id makes that id, so it is the clone's own as well.
 */
export function wake(): Program {
  const p = new Assembler();
  lowerWake(p);
  return p.assemble();
}

/** The same as the beginning of a program. */
export function lowerWake(p: Assembler): void {
  lowerClock(p);
  p.doing("give the new machine random numbers of its own");
  const pool = new Uint8Array(8 + entropyBytes);
  new Uint32Array(pool.buffer, 0, 2).set([8 * entropyBytes, entropyBytes]);
  crypto.getRandomValues(pool.subarray(8));
  const random = p.value("openat", [AT_FDCWD, p.text("/dev/urandom"), O_WRONLY | O_CLOEXEC]);
  p.syscall("ioctl", [random, RNDADDENTROPY, p.bytes(pool)]);
  p.syscall("ioctl", [random, RNDRESEEDCRNG]);
  close(p, random);
}

/** Sets the time of day to the host's. */
export function lowerClock(p: Assembler): void {
  p.doing("set the clock of the new machine");
  const now = BigInt(Date.now());
  const timespec = new BigInt64Array([now / 1000n, (now % 1000n) * 1_000_000n]);
  p.syscall("clock_settime", [CLOCK_REALTIME, p.bytes(new Uint8Array(timespec.buffer))]);
}
