/** struct open_how of openat2(2), for paths that are resolved in a root. */
import { RESOLVE_IN_ROOT } from "../../linux/constants";
import type { Address, Assembler } from "../../program/assembler";

export const howSize = 24;

export function openHow(p: Assembler, flags: number, mode: number): Address {
  const how = new DataView(new ArrayBuffer(howSize));
  how.setBigUint64(0, BigInt(flags), true);
  how.setBigUint64(8, BigInt(mode), true);
  how.setBigUint64(16, BigInt(RESOLVE_IN_ROOT), true);
  return p.bytes(new Uint8Array(how.buffer));
}
