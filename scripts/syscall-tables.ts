/**
 * Writes src/linux/syscall-tables.ts from a tree of the kernel's source:
 *
 *     bun scripts/syscall-tables.ts /usr/src/linux
 */
import { readFileSync, writeFileSync } from "node:fs";

const [tree = "/usr/src/linux"] = process.argv.slice(2);
const columns = ["x86_64", "i386", "x32", "arm", "aarch64"] as const;
type Column = (typeof columns)[number];
const rows = new Map<string, Partial<Record<Column, number>>>();

function add(name: string, column: Column, number: number): void {
  rows.set(name, { ...rows.get(name), [column]: number });
}

/** A syscall.tbl: number, ABI, name, entry points. */
function readTable(file: string, take: (abi: string, name: string, number: number) => void): void {
  for (const line of readFileSync(`${tree}/${file}`, "utf8").split("\n")) {
    const [, number, abi = "", name = ""] = /^(\d+)\s+(\S+)\s+(\S+)/.exec(line) ?? [];
    if (number !== undefined) take(abi, name, Number(number));
  }
}

readTable("arch/x86/entry/syscalls/syscall_64.tbl", (abi, name, number) => {
  if (abi !== "x32") add(name, "x86_64", number);
  if (abi !== "64") add(name, "x32", number);
});
readTable("arch/x86/entry/syscalls/syscall_32.tbl", (_, name, number) => add(name, "i386", number));
readTable("arch/arm/tools/syscall.tbl", (abi, name, number) => {
  if (abi !== "oabi") add(name, "arm", number);
});
for (const [number, name] of ["breakpoint", "cacheflush", "usr26", "usr32", "set_tls", "get_tls"].entries()) {
  add(name, "arm", 0x0f0001 + number);
}

const header = readFileSync(`${tree}/include/uapi/asm-generic/unistd.h`, "utf8");
// What only 32-bit architectures have, and those that aarch64 does without (its asm/unistd.h).
const wide = header.replace(/#if defined\(__SYSCALL_COMPAT\) \|\| __BITS_PER_LONG == 32\n[\s\S]*?#endif\n/g, "");
const words = new Map<string, number>();
for (const [, name = "", number] of wide.matchAll(/#define __NR(?:3264)?_(\w+) (\d+)/g))
  words.set(name, Number(number));
const renamed: Record<string, string> = { fadvise64_64: "fadvise64" };
for (const [name, number] of words) {
  if (!["arch_specific_syscall", "syscalls", "sync_file_range2"].includes(name)) {
    add(name === "fstatat" ? "newfstatat" : (renamed[name] ?? name), "aarch64", number);
  }
}

// Numbers newer than the tree: from 424 on all architectures have the same.
const newer =
  "cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount lsm_get_self_attr " +
  "lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat open_tree_attr";
for (const [index, name] of newer.split(" ").entries()) {
  for (const column of columns) if (name !== "map_shadow_stack" || /x|i/.test(column)) add(name, column, 451 + index);
}

const entries = [...rows.keys()].sort().map((name) => {
  const row = rows.get(name)!;
  const cell = (column: Column) => (column === "x32" && row.x32 === row.x86_64 ? "" : (row[column] ?? "-"));
  return `${name}:${columns.map(cell).join(":")}`;
});
const lines = [""];
for (const entry of entries) {
  if (`${lines.at(-1)} ${entry}`.length > 117) lines.push("");
  lines.push(`${lines.pop()} ${entry}`.trim());
}

writeFileSync(
  "src/linux/syscall-tables.ts",
  `/** Made by scripts/syscall-tables.ts from the kernel's tables; do not edit. */

/**
 * For each system call its number on ${columns.join(", ")}: - where the architecture has none, nothing for an
 * x32 number that is x86_64's. Those of x32 are without __X32_SYSCALL_BIT.
 */
export const syscallTable = \`
${lines.join("\n")}
\`;
`,
);
