/** The process object: config.md, "Process". It is a part of config.json, and alone what `exec --process` reads. */
import { capabilities } from "./capabilities";
import { environmentProblem } from "./environment";
import { checked, defaulted, type Infer, list, object, optional, optionalString } from "./reader";
import { rlimits } from "./rlimits";
import { absolutePath, boolean, integer, string, strings, uint16, uint32 } from "./scalars";
import { execCPUAffinity, ioPriority, scheduler } from "./scheduling";

const user = object({
  uid: defaulted(uint32, () => 0),
  gid: defaulted(uint32, () => 0),
  umask: optional(integer(0, 0o7777)),
  additionalGids: list(uint32, "integers"),
});

export interface User extends Infer<typeof user> {}

export const process = object({
  /** Whether stdio is a new terminal. */
  terminal: defaulted(boolean, () => false),
  /** The terminal's first size. */
  consoleSize: optional(object({ height: uint16, width: uint16 })),
  user: defaulted(user, () => ({ uid: 0, gid: 0, additionalGids: [] })),
  args: checked(strings, (args) => (args.length === 0 ? "must not be empty" : undefined)),
  env: list(checked(string, environmentProblem), "strings"),
  cwd: absolutePath,
  /** Absent: the process has none. */
  capabilities: optional(capabilities),
  rlimits: defaulted(rlimits, () => []),
  noNewPrivileges: defaulted(boolean, () => false),
  apparmorProfile: optionalString(string),
  selinuxLabel: optionalString(string),
  oomScoreAdj: optional(integer(-1000, 1000)),
  scheduler: optional(scheduler),
  ioPriority: optional(ioPriority),
  execCPUAffinity: optional(execCPUAffinity),
});

export interface Process extends Infer<typeof process> {}
