import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  O_CLOEXEC,
  O_RDONLY,
  PROT_READ,
  PROT_WRITE,
  RLIMIT_STACK,
  TCGETS,
} from "../linux/constants";
import { type Address, Assembler, type Register } from "../program/assembler";
import type { Program } from "../program/program";

const page = 4096;
const readWrite = PROT_READ | PROT_WRITE;
/** What the C library gives with rseq(2) on x86-64; any number would do. */
const rseqSignature = 0x5305_3053;

/**
 * What the programs of most containers do as they begin, before they are about anything: the C library readies its heap, its thread and its
 * random numbers, and looks at its output and at files. It is run in a container, and ends.
 * @param file a file in the container, of some pages
 */
export function usualBeginning(file: string): Program {
  const p = new Assembler();
  p.doing("begin as programs do");
  const buffer = p.zeroed(page);
  // A kernel that knows less is fine.
  const any = { accept: "any" } as const;
  const heap = p.value("brk", [0], any);
  p.add(heap, 34 * page, heap);
  p.syscall("brk", [heap], any);
  p.add(heap, -page, heap);
  fill(p, heap);
  const thread = p.value("mmap", [0, 2 * page, readWrite, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0]);
  p.syscall("set_tid_address", [thread], any);
  p.syscall("set_robust_list", [thread, 24], any);
  p.syscall("rseq", [thread, 32, 0, rseqSignature], any);
  p.syscall("prlimit64", [0, RLIMIT_STACK, 0, buffer], any);
  p.syscall("readlinkat", [AT_FDCWD, p.text("/proc/self/exe"), buffer, page], any);
  p.syscall("mprotect", [p.add(thread, page), page, PROT_READ], any);
  p.syscall("newfstatat", [1, p.text(""), buffer, AT_EMPTY_PATH], any);
  p.syscall("ioctl", [1, TCGETS, buffer], any);
  p.syscall("openat", [AT_FDCWD, p.text("/etc/ld.so.cache"), O_RDONLY | O_CLOEXEC], any);
  const fd = p.value("openat", [AT_FDCWD, p.text(file), O_RDONLY | O_CLOEXEC]);
  p.syscall("read", [fd, buffer, 832], any);
  const mapped = p.value("mmap", [0, 8 * page, readWrite, MAP_PRIVATE, fd, 0]);
  p.syscall("write", [1, p.add(mapped, 7 * page), 64], any);
  fill(p, mapped);
  p.syscall("munmap", [mapped, 8 * page]);
  return p.assemble();
}

/** Has the kernel write to memory, which makes a page of it the program's own. */
function fill(p: Assembler, at: Register | Address): void {
  p.syscall("getrandom", [at, 16, 0], { accept: "any" });
}
