/** Puts a filter on the calling process: seccomp(2). */
import { SECCOMP_SET_MODE_FILTER } from "../../../linux/bpf";
import type { Assembler } from "../../../program/assembler";
import type { SeccompFilter } from "./compile";

/** Loads a filter. The process needs no_new_privs, or CAP_SYS_ADMIN in its user namespace. */
export function loadSeccomp(p: Assembler, { flags, program }: SeccompFilter): void {
  const code = Buffer.from(program, "base64");
  // struct sock_fprog: u16 instructions, and a pointer to them
  const fprog = new Uint8Array(16);
  new DataView(fprog.buffer).setUint16(0, code.length / 8, true);
  const at = p.bytes(fprog);
  p.pointer(at.plus(8), p.bytes(code));
  p.doing("load the seccomp filter");
  p.syscall("seccomp", [SECCOMP_SET_MODE_FILTER, flags, at]);
}
