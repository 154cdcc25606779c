import { errnoName } from "../linux/errno";
import { syscallName } from "../linux/syscalls";
import { anyErrno, Comparison, headSize, instructionSize, Kind, noRegister, Op } from "./instruction";
import type { Program } from "./program";

const opNames = new Map<number, string>(Object.entries(Op).map(([name, number]) => [number, name]));
const comparisons = new Map<number, string>(Object.entries(Comparison).map(([name, number]) => [number, name]));

/**
 * Prints a program the way strace(1) prints calls, one instruction a line, each group under what it is for:
 *
 *     # mount tmpfs on /dev/shm
 *       12  r3 = fsopen("tmpfs", 1)
 *       13  mkdirat(r1, "shm", 493)  EEXIST → 14
 */
export function disassemble(program: Program): string {
  const { bytes, notes } = program;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(20, true);
  const dataAt = headSize + count * instructionSize + view.getUint32(24, true) * 8;
  const data = bytes.subarray(dataAt);
  const lines: string[] = [];
  let note: string | undefined;
  for (let index = 0; index < count; index++) {
    if (notes[index]?.doing !== note) {
      note = notes[index]?.doing;
      lines.push(`# ${note}`);
    }
    lines.push(`${String(index).padStart(4)}  ${instruction(view, headSize + index * instructionSize, data)}`);
  }
  return `${lines.join("\n")}\n`;
}

function instruction(view: DataView, at: number, data: Uint8Array): string {
  const op = view.getUint8(at);
  const into = view.getUint8(at + 1);
  const number = view.getUint16(at + 8, true);
  const target = view.getUint16(at + 10, true);
  const args: string[] = [];
  for (let i = 0; i < 6; i++) {
    args.push(argument(view.getUint8(at + 2 + i), view.getBigInt64(at + 16 + 8 * i, true), data));
  }
  const result = into === noRegister ? "" : `r${into} = `;
  if (op === Op.jump) {
    const test = number === Comparison.always ? "" : `if ${args[0]} ${comparisons.get(number)} ${args[1]} `;
    return `${test}→ ${target}`;
  }
  while (args.length > 0 && args.at(-1) === "0") args.pop();
  const name = op === Op.syscall ? syscallName(number) : (opNames.get(op) ?? `operation ${op}`);
  return `${result}${name}(${args.join(", ")})${accepted(view, at + 12, target)}`;
}

function accepted(view: DataView, at: number, target: number): string {
  const names: string[] = [];
  for (let i = 0; i < 4; i++) {
    const errno = view.getUint8(at + i);
    if (errno !== 0) names.push(errno === anyErrno ? "any error" : errnoName(errno));
  }
  return names.length === 0 ? "" : `  ${names.join(", ")} → ${target}`;
}

function argument(kind: number, value: bigint, data: Uint8Array): string {
  if (kind === Kind.register) return `r${value}`;
  if (kind === Kind.pidfd) return `pidfd of ${value}`;
  if (kind !== Kind.address) return String(value);
  const offset = Number(value);
  const end = data.indexOf(0, offset);
  const text = offset < data.length && end > offset ? data.subarray(offset, end) : undefined;
  const printable = text?.every((byte) => byte >= 0x20 && byte < 0x7f);
  return printable === true ? JSON.stringify(Buffer.from(text!).toString()) : `&${offset}`;
}
