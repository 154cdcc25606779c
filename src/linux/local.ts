/**
 * System calls on this machine, by FFI: the only file that uses `bun:ffi`.
 *
 * Calls block the JavaScript thread, so only those that return at once are made here.
 */
import { dlopen, ptr, read } from "bun:ffi";
import { messageOf, RunvError } from "../base/error";
import { errnoName, errnoText } from "./errno";
import { type SyscallName, syscallNumber } from "./syscalls";

const libc = openLibc();

/** @throws RunvError ADDRESS_SPACE where there is no room for the code that makes calls, which Bun lays out when it starts */
function openLibc() {
  try {
    return dlopen(process.platform === "linux" ? "libc.so.6" : "libc", {
      syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], returns: "i64" },
      __errno_location: { args: [], returns: "ptr" },
    }).symbols;
  } catch (cause) {
    if (!/requires the JIT/.test(messageOf(cause))) throw cause;
    throw new RunvError(
      "ADDRESS_SPACE",
      "make system calls: the address space of this process is limited (RLIMIT_AS)",
      {
        cause,
        hint: "ulimit -v unlimited, before runv or whoever calls it is started; a container's own limits are process.rlimits",
      },
    );
  }
}

/** A system call that failed; `errno` and `code` (its name) tell how. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  readonly code: string;

  constructor(
    readonly syscall: SyscallName,
    readonly errno: number,
  ) {
    super(`${syscall}: ${errnoText(errno)}`);
    this.code = errnoName(errno);
  }
}

/** An argument: a number, memory to read or fill, or text that becomes a C string. */
export type Argument = number | bigint | Uint8Array | string;

/**
 * Makes a system call.
 * @returns its result, at least 0
 * @throws SystemError
 */
export function syscall(name: SyscallName, ...args: Argument[]): number {
  // Buffers made here must outlive the call: `memory` holds them.
  const memory: Uint8Array[] = [];
  const raw = args.map((arg) => {
    if (typeof arg === "number" || typeof arg === "bigint") return arg;
    const bytes = typeof arg === "string" ? cString(arg) : arg;
    memory.push(bytes);
    return bytes.length === 0 ? 0 : ptr(bytes);
  });
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = raw;
  const result = Number(libc.syscall(syscallNumber(name), a, b, c, d, e, f));
  if (result >= 0) return result;
  throw new SystemError(name, read.i32(libc.__errno_location()!, 0));
}

/** The bytes of `text` in UTF-8 and a zero byte. */
function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, "utf8");
}

/** The address of memory, for structures that point to other memory, which the caller keeps alive. */
export function addressOf(bytes: Uint8Array): number {
  return ptr(bytes);
}
