/** linux.intelRdt: config-linux.md, "IntelRdt". */
import { checked, type Infer, list, object, optional, optionalString } from "./reader";
import { boolean, string } from "./scalars";

const line = checked(string, (text) => (text.includes("\n") ? "must not contain a newline" : undefined));

export const intelRdt = object({
  /** The name of a directory of resctrl, or / for the default class. */
  closID: optionalString(
    checked(string, (id) =>
      id === "." || id === ".." || (id.length > 1 && id.includes("/")) ? "must be a plain name" : undefined,
    ),
  ),
  schemata: list(line, "strings"),
  l3CacheSchema: optionalString(line),
  memBwSchema: optionalString(line),
  enableMonitoring: optional(boolean),
  enableCMT: optional(boolean),
  enableMBM: optional(boolean),
});

export interface IntelRdt extends Infer<typeof intelRdt> {}
