import { Assembler } from "../program/assembler";
import type { Guest } from "./guest";

/** Has the guest do nothing. @returns when it has @throws RunvError GUEST_REFUSED, GUEST_LOST */
export async function ping(guest: Guest): Promise<void> {
  const p = new Assembler();
  p.doing("see whether the guest answers");
  await guest.call(p.assemble());
}
