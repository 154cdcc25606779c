/** Extended BPF as far as device rules of cgroups and the choice of sockets need it: linux/bpf.h, bpf(2). */

/** Instructions: the class, operation and source in one byte. */
export const Ebpf = {
  /** dst = u32 at src + offset */
  loadWord: 0x61,
  /** u32 at dst + offset = immediate */
  storeWordImmediate: 0x62,
  /** Of two instructions, the second of which is zero but for the upper half of the number. */
  loadImmediate: 0x18,
  addImmediate: 0x07,
  moveImmediate: 0xb7,
  moveRegister: 0xbf,
  andImmediate: 0x57,
  shiftRight: 0x77,
  jumpEqual: 0x15,
  jumpDifferent: 0x55,
  jumpDifferentRegister: 0x5d,
  jumpSet: 0x45,
  jump: 0x05,
  call: 0x85,
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
export const BPF_MAP_CREATE = 0;
export const BPF_MAP_UPDATE_ELEM = 2;
export const BPF_PROG_LOAD = 5;
export const BPF_OBJ_PIN = 6;
export const BPF_OBJ_GET = 7;
export const BPF_PROG_ATTACH = 8;
export const BPF_LINK_CREATE = 28;
export const BPF_MAP_TYPE_SOCKMAP = 15;
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_PROG_TYPE_SK_LOOKUP = 30;
export const BPF_SK_LOOKUP = 36;
export const BPF_CGROUP_DEVICE = 6;
export const BPF_F_ALLOW_MULTI = 2;
/** The source register of a number that is a map's descriptor. */
export const BPF_PSEUDO_MAP_FD = 1;

/** Functions of the kernel's, by the numbers with which they are called. */
export const bpfFunctions = { map_lookup_elem: 1, sk_release: 86, sk_assign: 124 } as const;

/** struct bpf_sk_lookup: where its members are. */
export const skLookup = { family: 8, protocol: 12, local_ip4: 40 } as const;

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
