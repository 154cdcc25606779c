/** The architectures whose system calls a profile may speak of, and their numbers. */
import { syscallTable } from "../../../linux/syscall-tables";
import { type Architecture, architecture } from "../../../linux/syscalls";
import type { SeccompArchitecture } from "../../../oci/seccomp-names";
import { multiplexerOf } from "./multiplexed";

/** One way of calling the kernel. */
export interface CallingConvention {
  name: SeccompArchitecture;
  /** AUDIT_ARCH_* of linux/audit.h, as struct seccomp_data has it; x86-64 and x32 share one. */
  audit: number;
  /** Its column in `syscallTable`. */
  column: number;
  /** What its numbers are or'ed with: __X32_SYSCALL_BIT. */
  bit: number;
  /** Whether arguments are 64 bits wide. */
  wide: boolean;
  /** The kernels that have it. */
  machine: Architecture;
}

const X32_SYSCALL_BIT = 0x4000_0000;

const conventions: readonly CallingConvention[] = [
  { name: "SCMP_ARCH_X86_64", audit: 0xc000_003e, column: 0, bit: 0, wide: true, machine: "x86_64" },
  { name: "SCMP_ARCH_X86", audit: 0x4000_0003, column: 1, bit: 0, wide: false, machine: "x86_64" },
  { name: "SCMP_ARCH_X32", audit: 0xc000_003e, column: 2, bit: X32_SYSCALL_BIT, wide: false, machine: "x86_64" },
  { name: "SCMP_ARCH_AARCH64", audit: 0xc000_00b7, column: 4, bit: 0, wide: true, machine: "aarch64" },
  { name: "SCMP_ARCH_ARM", audit: 0x4000_0028, column: 3, bit: 0, wide: false, machine: "aarch64" },
];

/** The conventions of a profile: the machine's own, always and first, and those of its kernel that are listed. */
export function conventionsFor(
  listed: readonly SeccompArchitecture[],
  machine: Architecture = architecture,
): CallingConvention[] {
  const [native, ...others] = conventions.filter((convention) => convention.machine === machine);
  return [native!, ...others.filter(({ name }) => listed.includes(name))];
}

let table: Map<string, string[]> | undefined;

/** The number of a system call; undefined when the architecture has none of this name. */
export function numberOf(name: string, { column, bit }: CallingConvention): number | undefined {
  table ??= readTable();
  const row = table.get(name);
  const cell = (column === 2 && row?.[2] === "" ? row[0] : row?.[column]) ?? "-";
  return cell === "-" ? undefined : Number(cell) + bit;
}

/** The call that carries this one too, and the first argument that means it: socketcall(2) and ipc(2) of 32-bit x86. */
export function multiplexed(name: string, { column }: CallingConvention): { number: number; call: number } | undefined {
  return column === 1 ? multiplexerOf(name) : undefined;
}

function readTable(): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  for (const entry of syscallTable.trim().split(/\s/)) {
    const [name = "", ...cells] = entry.split(":");
    rows.set(name, cells);
  }
  return rows;
}
