/** linux.devices and the device rules of linux.resources: config-linux.md, "Devices" and "Allowed Device list". */
import { checked, type Infer, list, object, optional, optionalString } from "./reader";
import { absolutePath, boolean, int64, integer, oneOf, string, uint32 } from "./scalars";

const fields = object({
  path: absolutePath,
  /** Character (u: unbuffered, the same), block, FIFO. */
  type: oneOf("device type", ["c", "b", "u", "p"]),
  major: optional(integer(0, 0xfff)),
  minor: optional(integer(0, 0xf_ffff)),
  /** Permission bits; bits of a file type are left out. */
  fileMode: optional(uint32),
  uid: optional(uint32),
  gid: optional(uint32),
});

export interface Device extends Infer<typeof fields> {}

export const devices = list(
  checked(fields, ({ type, major, minor }) =>
    type !== "p" && (major === undefined || minor === undefined)
      ? `a device of type "${type}" needs major and minor`
      : undefined,
  ),
);

/** An "a", which some write for all of them, says nothing, as in runc. */
function isAccess(text: string): boolean {
  for (const letter of text) if (letter !== "r" && letter !== "w" && letter !== "m" && letter !== "a") return false;
  return true;
}

const rule = object({
  allow: boolean,
  /** Any, character or block; absent: any. */
  type: optionalString(oneOf("device type", ["a", "b", "c"])),
  /** -1 or absent: any. */
  major: optional(int64),
  minor: optional(int64),
  /** Letters of rwm; absent: all three. */
  access: optionalString(
    checked(string, (access) => (isAccess(access) ? undefined : "must be made of the letters r, w and m")),
  ),
});

export const deviceRules = list(rule);

export interface DeviceRule extends Infer<typeof rule> {}
