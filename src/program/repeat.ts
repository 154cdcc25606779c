import { errnoOf } from "../linux/errno";
import type { Assembler, Label } from "./assembler";

/** How long something may take, in steps of 10 ms. */
const patience = 3000;
const step = new Uint8Array(new BigUint64Array([0n, 10_000_000n]).buffer);

/** Tries something until it does not jump to `again`; fails when that takes longer than 30 s. */
export function repeatedly(p: Assembler, attempt: (again: Label) => void): void {
  const [start, again, done] = [p.label(), p.label(), p.label()];
  const tries = p.register();
  p.set(tries, patience);
  p.place(start);
  attempt(again);
  p.jump(done);
  p.place(again);
  p.syscall("nanosleep", [p.bytes(step), 0]);
  p.add(tries, -1, tries);
  p.jumpIf(tries, "≠", 0, start);
  p.fail(errnoOf("ETIMEDOUT"));
  p.place(done);
  p.release(tries);
}
