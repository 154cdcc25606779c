import { O_CLOEXEC } from "../../src/linux/constants";
import { syscall } from "../../src/linux/local";

/** A pipe: what is not read stays in it. */
export function makePipe(): [reading: number, writing: number] {
  const ends = new Int32Array(2);
  syscall("pipe2", new Uint8Array(ends.buffer), O_CLOEXEC);
  return [ends[0]!, ends[1]!];
}
