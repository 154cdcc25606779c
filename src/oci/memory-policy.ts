/** linux.memoryPolicy: config-linux.md, "Memory policy" (set_mempolicy(2)). In runc's words, which callers know. */
import { mismatch, quote } from "./mismatch";
import { array, checked, defaulted, type Infer, object, optional, optionalString, type Reader } from "./reader";
import { string } from "./scalars";
import { largestNumber, numberList, numberSet } from "./scheduling";

/** linux/mempolicy.h */
export const memoryPolicyModes = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
} as const;

export const memoryPolicyFlags = {
  MPOL_F_STATIC_NODES: 1 << 15,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_NUMA_BALANCING: 1 << 13,
} as const;

function nameIn<T extends object>(what: string, table: T): Reader<keyof T & string> {
  return (value) => {
    const name = string(value);
    return Object.hasOwn(table, name) ? (name as keyof T & string) : mismatch(`invalid ${what} ${quote(name)}`);
  };
}

const mode = nameIn("memory policy mode", memoryPolicyModes);

const nodes = checked(numberList, (list) =>
  largestNumber(list) < nodeCount ? undefined : `invalid memory policy nodes ${quote(list)}: there are ${nodeCount}`,
);

/** The most that a kernel can have (MAX_NUMNODES). */
const nodeCount = 1024;

const fields = object({
  mode: defaulted(mode, () => mode("")),
  nodes: optionalString(nodes),
  flags: optional(array(nameIn("memory policy flag", memoryPolicyFlags), "strings")),
});

export interface MemoryPolicy extends Infer<typeof fields> {}

export const memoryPolicy = checked(fields, ({ mode, nodes }) => {
  const count = numberSet(nodes ?? "").reduce((all, byte) => all + byte.toString(2).replaceAll("0", "").length, 0);
  const takesNone = mode === "MPOL_DEFAULT" || mode === "MPOL_LOCAL";
  if (takesNone && count > 0) return `memory policy mode requires 0 nodes but got ${count}`;
  if (!takesNone && mode !== "MPOL_PREFERRED" && count === 0) {
    return "memory policy mode requires at least one node but got 0";
  }
  return undefined;
});
