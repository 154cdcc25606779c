/** Programs in machine code, for what no command of an image does. */
import { chmodSync, writeFileSync } from "node:fs";

/** The least ELF file of x86-64: a header, one segment that is read and executed (elf(5)). */
export function writeProgram(path: string, code: readonly number[]): void {
  const size = 120 + code.length;
  const file = Buffer.alloc(size);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(62, 18); // EM_X86_64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(0x400078n, 24); // the entry: after both headers
  file.writeBigUInt64LE(64n, 32); // the program header's place
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(5, 68); // readable, executable
  file.writeBigUInt64LE(0x400000n, 80);
  file.writeBigUInt64LE(0x400000n, 88);
  file.writeBigUInt64LE(BigInt(size), 96);
  file.writeBigUInt64LE(BigInt(size), 104);
  file.writeBigUInt64LE(0x1000n, 112);
  file.set(code, 120);
  writeFileSync(path, file);
  chmodSync(path, 0o755);
}

/** Writes eight bytes from the processor's generator, which QEMU emulates, past the guest's kernel. */
export const rdrand = [
  ...[0x48, 0x0f, 0xc7, 0xf0], // again: rdrand %rax
  ...[0x73, 0xfa], // jnc again
  0x50, // push %rax
  ...[0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0], // mov $1, %eax (write); mov $1, %edi
  ...[0x48, 0x89, 0xe6, 0xba, 8, 0, 0, 0, 0x0f, 0x05], // mov %rsp, %rsi; mov $8, %edx; syscall
  ...[0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05], // mov $60, %eax (exit); xor %edi, %edi; syscall
];

/** Writes 256 KiB of code and runs it, so many times: of each an emulator makes some 3.7 MB, which none of the next can use. */
export function newCode(rounds: number): number[] {
  return [
    ...[0xb8, 9, 0, 0, 0, 0x31, 0xff, 0xbe, 0, 0, 4, 0], // mov $9, %eax (mmap); xor %edi, %edi; mov $0x40000, %esi
    ...[0xba, 7, 0, 0, 0, 0x41, 0xba, 0x22, 0, 0, 0], // mov $7, %edx (PROT_*); mov $0x22, %r10d (MAP_PRIVATE, MAP_ANONYMOUS)
    ...[0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, 0x45, 0x31, 0xc9, 0x0f, 0x05], // mov $-1, %r8; xor %r9d, %r9d; syscall
    ...[0x49, 0x89, 0xc4, 0x48, 0x89, 0xc7], // mov %rax, %r12; mov %rax, %rdi
    ...[0xb9, 0, 0, 1, 0, 0xb8, 0x50, 0x58, 0x50, 0x58, 0xf3, 0xab], // mov $0x10000, %ecx; mov $"push, pop, push, pop", %eax; rep stosl
    ...[0xc7, 0x47, 0xfc, 0xc3, 0xc3, 0xc3, 0xc3], // movl $"ret", -4(%rdi)
    ...[0x41, 0xbd, ...littleEndian(rounds)], // mov $rounds, %r13d
    ...[0x4c, 0x89, 0xe7, 0xb9, 64, 0, 0, 0], // again: mov %r12, %rdi; mov $64, %ecx
    ...[0xc7, 0x07, 0x50, 0x58, 0x50, 0x58], // page: movl $"push, pop, push, pop", (%rdi)
    ...[0x48, 0x81, 0xc7, 0, 0x10, 0, 0, 0xff, 0xc9, 0x75, 0xef], // add $0x1000, %rdi; dec %ecx; jnz page
    ...[0x41, 0xff, 0xd4, 0x41, 0xff, 0xcd, 0x75, 0xdf], // call *%r12; dec %r13d; jnz again
    ...[0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05], // mov $60, %eax (exit); xor %edi, %edi; syscall
  ];
}

function littleEndian(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}

/** Writes what two clocks say, as two timespecs of 16 bytes each: CLOCK_REALTIME and CLOCK_MONOTONIC (clock_gettime(2)). */
export const bothClocks = [
  ...[0x48, 0x83, 0xec, 0x20], // sub $32, %rsp
  ...[0xb8, 228, 0, 0, 0, 0x31, 0xff, 0x48, 0x89, 0xe6, 0x0f, 0x05], // mov $228, %eax; xor %edi, %edi; mov %rsp, %rsi; syscall
  ...[0xb8, 228, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x48, 0x8d, 0x74, 0x24, 0x10, 0x0f, 0x05], // …; mov $1, %edi; lea 16(%rsp), %rsi; syscall
  ...[0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x48, 0x89, 0xe6, 0xba, 32, 0, 0, 0, 0x0f, 0x05], // mov $1, %eax (write); …; mov $32, %edx; syscall
  ...[0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05], // mov $60, %eax (exit); xor %edi, %edi; syscall
];
