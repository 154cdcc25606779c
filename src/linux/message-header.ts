import { addressOf } from "./local";

/** Where the members of struct msghdr are that are read again: the length of the control messages, in eights of bytes. */
export const controlLength = 5;

/**
 * struct msghdr of sendmsg(2) and recvmsg(2), with one piece of data, whose struct iovec lies behind it.
 * @param data to be kept, as `control` is, until the call is over: the header has their addresses only
 */
export function messageHeader(data: Uint8Array, control: Uint8Array): BigUint64Array {
  const header = new BigUint64Array(9);
  const iovec = BigInt(addressOf(new Uint8Array(header.buffer))) + 56n;
  // The name and its length, the iovec and how many, the control messages and their length, flags; the iovec.
  header.set([0n, 0n, iovec, 1n, BigInt(addressOf(control)), BigInt(control.length), 0n]);
  header.set([BigInt(addressOf(data)), BigInt(data.length)], 7);
  return header;
}
