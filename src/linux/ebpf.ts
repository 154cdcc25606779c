/** Extended BPF as far as device rules of cgroups need it: linux/bpf.h, bpf(2). */

/** Instructions: the class, operation and source in one byte. */
export const Ebpf = {
  /** dst = u32 at src + offset */
  loadWord: 0x61,
  moveImmediate: 0xb7,
  moveRegister: 0xbf,
  andImmediate: 0x57,
  shiftRight: 0x77,
  jumpDifferent: 0x55,
  jumpDifferentRegister: 0x5d,
  jumpSet: 0x45,
  jump: 0x05,
  exit: 0x95,
} as const;

/** struct bpf_insn */
export interface EbpfInstruction {
  code: number;
  dst?: number;
  src?: number;
  offset?: number;
  immediate?: number;
}

/** bpf(2): commands, and what its attributes name. */
export const BPF_PROG_LOAD = 5;
export const BPF_OBJ_PIN = 6;
export const BPF_OBJ_GET = 7;
export const BPF_PROG_ATTACH = 8;
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;
export const BPF_F_ALLOW_MULTI = 2;

/** struct bpf_cgroup_dev_ctx: the lower half of its first word is the type, the upper half the access. */
export const BPF_DEVCG_DEV_BLOCK = 1;
export const BPF_DEVCG_DEV_CHAR = 2;
export const BPF_DEVCG_ACC_MKNOD = 1;
export const BPF_DEVCG_ACC_READ = 2;
export const BPF_DEVCG_ACC_WRITE = 4;

/** An array of struct bpf_insn. */
export function encodeEbpf(program: readonly EbpfInstruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * program.length));
  for (const [index, { code, dst = 0, src = 0, offset = 0, immediate = 0 }] of program.entries()) {
    view.setUint8(8 * index, code);
    view.setUint8(8 * index + 1, dst | (src << 4));
    view.setInt16(8 * index + 2, offset, true);
    view.setInt32(8 * index + 4, immediate | 0, true);
  }
  return new Uint8Array(view.buffer);
}
