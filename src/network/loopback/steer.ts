/** Has one socket take the connections to the loopback address of a network namespace, whatever their port. */
import { closeSync, openSync } from "node:fs";
import { AF_INET } from "../../linux/constants";
import {
  BPF_LINK_CREATE,
  BPF_MAP_CREATE,
  BPF_MAP_TYPE_SOCKMAP,
  BPF_MAP_UPDATE_ELEM,
  BPF_PROG_LOAD,
  BPF_PROG_TYPE_SK_LOOKUP,
  BPF_PSEUDO_MAP_FD,
  BPF_SK_LOOKUP,
  bpfFunctions,
  Ebpf,
  type EbpfInstruction,
  encodeEbpf,
  skLookup,
} from "../../linux/ebpf";
import { addressOf, syscall } from "../../linux/local";
import { IPPROTO_TCP } from "../../linux/netlink/constants";
import { viewOf } from "../../linux/netlink/message";

/** 127.0.0.1 as a number in memory has it. */
const loopbackAddress = 0x0100007f;
/** Whatever is not steered goes where it would have gone. */
const SK_PASS = 1;
/** Registers: the verdict and results, arguments, the context, the socket, the stack. */
const [result, one, two, three, context, socket, stack] = [0, 1, 2, 3, 6, 7, 10];

/**
 * Steers connections in the network namespace that this thread is in.
 * @param listener the descriptor of a listening TCP socket of the namespace
 * @returns ends it; the kernel does when this process is gone
 * @throws SystemError EPERM without CAP_NET_ADMIN and CAP_BPF, EINVAL where Linux is older than 5.9
 */
export function steerLoopback(listener: number): () => void {
  const map = bpf(BPF_MAP_CREATE, 48, (view) => {
    // The type, the sizes of keys and values, how many there are.
    for (const [index, number] of [BPF_MAP_TYPE_SOCKMAP, 4, 8, 1].entries()) view.setUint32(4 * index, number, true);
  });
  const held = [map];
  try {
    const [key, value] = [new Uint8Array(4), new Uint8Array(8)];
    viewOf(value).setUint32(0, listener, true);
    bpf(BPF_MAP_UPDATE_ELEM, 32, (view) => {
      view.setUint32(0, map, true);
      view.setBigUint64(8, BigInt(addressOf(key)), true);
      view.setBigUint64(16, BigInt(addressOf(value)), true);
    });
    const program = load(encodeEbpf(chooseSocket(map)));
    held.push(program);
    const namespace = openSync("/proc/thread-self/ns/net", "r");
    held.push(namespace);
    const link = bpf(BPF_LINK_CREATE, 16, (view) => {
      for (const [index, number] of [program, namespace, BPF_SK_LOOKUP].entries()) {
        view.setUint32(4 * index, number, true);
      }
    });
    return () => closeSync(link);
  } finally {
    for (const fd of held) closeSync(fd);
  }
}

/** A program of BPF_PROG_TYPE_SK_LOOKUP, which is asked when no connection is known that a packet belongs to. */
function chooseSocket(map: number): EbpfInstruction[] {
  const pass: EbpfInstruction[] = [{ code: Ebpf.moveImmediate, dst: result, immediate: SK_PASS }, { code: Ebpf.exit }];
  const assign: EbpfInstruction[] = [
    { code: Ebpf.moveRegister, dst: socket, src: result },
    { code: Ebpf.moveRegister, dst: one, src: context },
    { code: Ebpf.moveRegister, dst: two, src: socket },
    { code: Ebpf.moveImmediate, dst: three, immediate: 0 },
    { code: Ebpf.call, immediate: bpfFunctions.sk_assign },
    { code: Ebpf.moveRegister, dst: one, src: socket },
    { code: Ebpf.call, immediate: bpfFunctions.sk_release },
  ];
  const find: EbpfInstruction[] = [
    { code: Ebpf.storeWordImmediate, dst: stack, offset: -4, immediate: 0 },
    { code: Ebpf.moveRegister, dst: two, src: stack },
    { code: Ebpf.addImmediate, dst: two, immediate: -4 },
    { code: Ebpf.loadImmediate, dst: one, src: BPF_PSEUDO_MAP_FD, immediate: map },
    { code: 0 },
    { code: Ebpf.call, immediate: bpfFunctions.map_lookup_elem },
    { code: Ebpf.jumpEqual, dst: result, immediate: 0, offset: assign.length },
  ];
  const wanted = [
    [skLookup.family, AF_INET],
    [skLookup.protocol, IPPROTO_TCP],
    [skLookup.local_ip4, loopbackAddress],
  ] as const;
  const tests = wanted.flatMap(([offset, immediate], index): EbpfInstruction[] => {
    const rest = 2 * (wanted.length - 1 - index) + find.length + assign.length;
    return [
      { code: Ebpf.loadWord, dst: result, src: context, offset },
      { code: Ebpf.jumpDifferent, dst: result, immediate, offset: rest },
    ];
  });
  return [{ code: Ebpf.moveRegister, dst: context, src: one }, ...tests, ...find, ...assign, ...pass];
}

function load(code: Uint8Array): number {
  const license = Buffer.from("GPL\0");
  return bpf(BPF_PROG_LOAD, 72, (view) => {
    view.setUint32(0, BPF_PROG_TYPE_SK_LOOKUP, true);
    view.setUint32(4, code.length / 8, true);
    view.setBigUint64(8, BigInt(addressOf(code)), true);
    view.setBigUint64(16, BigInt(addressOf(license)), true);
    view.setUint32(68, BPF_SK_LOOKUP, true);
  });
}

/** Makes a call of bpf(2). @param size bytes of its attributes as far as they are used @throws SystemError */
function bpf(command: number, size: number, fill: (attributes: DataView) => void): number {
  const attributes = new Uint8Array(size);
  fill(viewOf(attributes));
  return syscall("bpf", command, attributes, size);
}
