/** The guest's clock: what it says, and how it is put right. */
import { AT_FDCWD, CLOCK_REALTIME, O_CLOEXEC, O_RDONLY } from "../linux/constants";
import { Assembler } from "../program/assembler";
import type { Program } from "../program/program";

/** linux/timex.h */
const [ADJ_SETOFFSET, ADJ_NANO] = [0x0100, 0x2000];
/** struct timex: its size, and where `time` is. */
const [timexSize, timexTime] = [208, 72];

const source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
const longestName = 32;

/** What a guest's clock says, in milliseconds since 1970, and by what it tells the time. */
export interface ClockReading {
  ms: number;
  source: string;
}

/** Puts out the time, and the name of what it is told by. */
export function readClock(): Program {
  const p = new Assembler();
  p.doing("read the guest's clock");
  const name = p.zeroed(longestName);
  const file = p.value("openat", [AT_FDCWD, p.text(source), O_RDONLY | O_CLOEXEC], { accept: "any" });
  p.syscall("read", [file, name, longestName], { accept: "any" });
  const now = p.zeroed(16);
  p.syscall("clock_gettime", [CLOCK_REALTIME, now]);
  p.output(now, 16);
  p.output(name, longestName);
  return p.assemble();
}

/** Reads what readClock put out; undefined if that is something else. */
export function decodeClock(output: Uint8Array): ClockReading | undefined {
  if (output.length < 16) return undefined;
  const view = new DataView(output.buffer, output.byteOffset, 16);
  const ms = Number(view.getBigInt64(0, true)) * 1000 + Number(view.getBigInt64(8, true)) / 1e6;
  return { ms, source: /^[\w-]*/.exec(Buffer.from(output.subarray(16)).toString("latin1"))![0] };
}

/** Moves the time of day. Clocks that never go backwards, CLOCK_MONOTONIC above all, are left alone (clock_adjtime(2), ADJ_SETOFFSET). */
export function moveClock(byMs: number): Program {
  const p = new Assembler();
  p.doing("put the guest's clock right");
  const timex = new DataView(new ArrayBuffer(timexSize));
  timex.setUint32(0, ADJ_SETOFFSET | ADJ_NANO, true);
  const seconds = Math.floor(byMs / 1000);
  timex.setBigInt64(timexTime, BigInt(seconds), true);
  timex.setBigInt64(timexTime + 8, BigInt(Math.min(999_999_999, Math.round((byMs - seconds * 1000) * 1e6))), true);
  p.syscall("clock_adjtime", [CLOCK_REALTIME, p.bytes(new Uint8Array(timex.buffer))]);
  return p.assemble();
}
