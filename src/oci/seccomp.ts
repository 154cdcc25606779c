/** linux.seccomp: config-linux.md, "Seccomp". */
import { array, checked, type Infer, list, object, optional, optionalString } from "./reader";
import { exactUint64, integer, oneOf, string, strings, uint16 } from "./scalars";
import {
  type SeccompAction,
  seccompActions,
  seccompArchitectures,
  seccompFlags,
  seccompOperators,
} from "./seccomp-names";

const action = oneOf("seccomp action", seccompActions);

const argument = object({
  /** Which of the six arguments. */
  index: integer(0, 5),
  /** `BigInt(value)`; the mask for SCMP_CMP_MASKED_EQ. */
  value: exactUint64,
  valueTwo: optional(exactUint64),
  op: oneOf("seccomp operator", seccompOperators),
});

const rule = object({
  names: checked(strings, (names) => (names.length === 0 ? "must not be empty" : undefined)),
  action,
  errnoRet: optional(uint16),
  args: list(argument),
});

const fields = object({
  defaultAction: action,
  defaultErrnoRet: optional(uint16),
  architectures: list(oneOf("seccomp architecture", seccompArchitectures), "strings"),
  /** Absent: runc's default, SECCOMP_FILTER_FLAG_SPEC_ALLOW. */
  flags: optional(array(oneOf("seccomp flag", seccompFlags), "strings")),
  listenerPath: optionalString(string),
  listenerMetadata: optionalString(string),
  syscalls: list(checked(rule, ({ action, errnoRet }) => complaintOfErrno("errnoRet", action, errnoRet))),
});

function complaintOfErrno(field: string, action: SeccompAction, errno: number | undefined): string | undefined {
  const takesOne = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return errno === undefined || takesOne ? undefined : `${field} has no meaning for ${action}`;
}

export const seccomp = checked(fields, ({ defaultAction, defaultErrnoRet, listenerPath, listenerMetadata }) => {
  if (listenerMetadata !== undefined && listenerPath === undefined) return "listenerMetadata needs a listenerPath";
  return complaintOfErrno("defaultErrnoRet", defaultAction, defaultErrnoRet);
});

export interface Seccomp extends Infer<typeof fields> {}
export interface SeccompRule extends Infer<typeof rule> {}
export interface SeccompArgument extends Infer<typeof argument> {}
