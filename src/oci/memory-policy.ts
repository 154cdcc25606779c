/** linux.memoryPolicy: config-linux.md, "Memory policy" (set_mempolicy(2)). */
import { array, object, optional, optionalString } from "./reader";
import { oneOf } from "./scalars";
import { numberList } from "./scheduling";

const modes = [
  "MPOL_DEFAULT",
  "MPOL_BIND",
  "MPOL_INTERLEAVE",
  "MPOL_WEIGHTED_INTERLEAVE",
  "MPOL_PREFERRED",
  "MPOL_PREFERRED_MANY",
  "MPOL_LOCAL",
] as const;

const flags = ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"] as const;

export const memoryPolicy = object({
  mode: oneOf("memory policy mode", modes),
  nodes: optionalString(numberList),
  flags: optional(array(oneOf("memory policy flag", flags), "strings")),
});
