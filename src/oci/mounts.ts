/** mounts: config.md, "Mounts". */
import { log } from "../base/log";
import { idMappings } from "./ids";
import { quote } from "./mismatch";
import { idMapOptions } from "./mount-options";
import { checked, type Infer, list, object, optional, optionalString, type Reader } from "./reader";
import { absolutePath, string } from "./scalars";

/** A path inside the container. As runc: one that does not begin at the root is taken from there all the same. */
const destination: Reader<string> = (value) => {
  const path = string(value);
  if (path === "" || path.startsWith("/")) return absolutePath(path);
  log.warn(`mount destination ${quote(path)} is not absolute: it is taken from the root`);
  return `/${path}`;
};

const fields = object({
  destination,
  /** The file system's type; meaningless for a bind mount. */
  type: optionalString(string),
  /** A device, or for a bind mount a host path, relative to the bundle. */
  source: optionalString(string),
  options: list(string, "strings"),
  uidMappings: optional(idMappings),
  gidMappings: optional(idMappings),
});

export interface Mount extends Infer<typeof fields> {}

/** Whether a mount shows a part of another file system, which its options say and not its type. */
export function isBind({ type, options }: Pick<Mount, "type" | "options">): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

/** Whether a mount's options ask for ids that are mapped. */
export function isIdMapped({ options }: Pick<Mount, "options">): boolean {
  return options.some((option) => idMapOptions.includes(option));
}

export const mounts = list(
  checked(fields, (mount) => {
    const { uidMappings, gidMappings } = mount;
    if (isBind(mount) && mount.source === undefined) return "a bind mount needs a source";
    if ((uidMappings === undefined) !== (gidMappings === undefined)) {
      return "an id-mapped mount needs both uidMappings and gidMappings";
    }
    if ((uidMappings !== undefined || isIdMapped(mount)) && !isBind(mount)) return "only a bind mount can be id-mapped";
    return undefined;
  }),
);
