/** Programs of few words, and what they answer. */
import { Assembler, type Register } from "../../src/program/assembler";
import { Stdio } from "../../src/program/instruction";
import type { Program, ProgramHead } from "../../src/program/program";
import type { TestProcess } from "./process";

/** A pipe for each stdio. */
export const pipes = Stdio.stdin | Stdio.stdout | Stdio.stderr;
export const mebi = 1 << 20;

/** Assembles a program. */
export function program(write: (p: Assembler) => void, head?: ProgramHead): Program {
  const p = new Assembler();
  write(p);
  return p.assemble(head);
}

/** Executes `argv`. */
export function exec(p: Assembler, argv: readonly string[]): void {
  p.syscall("execve", [p.text(argv[0]!), p.vector(argv), p.vector(["PATH=/usr/bin:/bin"])]);
}

/** A program that runs a shell's script. */
export const shell = (script: string, head: ProgramHead = { stdio: pipes, credit: mebi }): Program =>
  program((p) => exec(p, ["/bin/sh", "-c", script]), head);

/** Puts out the values of registers, 8 bytes each. */
export function answer(p: Assembler, ...registers: Register[]): void {
  const buffer = p.zeroed(8 * registers.length);
  for (const [i, register] of registers.entries()) p.store(buffer.plus(8 * i), register, 8);
  p.output(buffer, 8 * registers.length);
}

/** What `answer` has put out. */
export const numbers = (process: TestProcess): number[] =>
  Array.from({ length: process.answer.length / 8 }, (_, i) => Number(process.answer.readBigInt64LE(8 * i)));

/** An exit code as wait(2) encodes it, and EXIT's payload has it. */
export const exit = (code: number): number[] => [code << 8];
