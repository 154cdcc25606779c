import { O_CLOEXEC } from "./constants";
import { syscall } from "./local";

/** A pipe (pipe(2)), whose ends no program inherits: what is not read stays in it. @param flags of both ends: O_NONBLOCK or 0 @throws SystemError */
export function makePipe(flags = 0): [reading: number, writing: number] {
  const ends = new Int32Array(2);
  syscall("pipe2", new Uint8Array(ends.buffer), O_CLOEXEC | flags);
  return [ends[0]!, ends[1]!];
}
