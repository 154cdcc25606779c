import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_RELATIME,
  MOUNT_ATTR_STRICTATIME,
  MS_BIND,
  MS_DIRSYNC,
  MS_LAZYTIME,
  MS_MANDLOCK,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
} from "../../linux/constants";
import {
  idMapOptions,
  mountExtensions,
  mountFlags,
  propagationFlags,
  recursiveAttributes,
} from "../../oci/mount-options";

/** Attributes to set and to clear, of mount_setattr(2). */
export interface AttributeChange {
  set: number;
  clear: number;
}

/** The options of a mount, sorted by what carries them out. */
export interface MountOptions {
  bind: boolean;
  recursive: boolean;
  /** Attributes of this mount. */
  attributes: AttributeChange;
  /** Attributes of this mount and all below it. */
  recursiveAttributes: AttributeChange;
  /** MS_SHARED and so on, one after the other, maybe with MS_REC. */
  propagation: number[];
  /** Flags of the file system rather than of the mount, by their names for fsconfig(2). */
  superblock: string[];
  /** What the file system itself is to be told: `size=64k`. */
  data: string[];
  /** runc's own options. */
  extensions: string[];
}

/** MS_ flags that are attributes of a mount. Times are one field of several values. */
const attributeOf = new Map<number, number>([
  [MS_RDONLY, MOUNT_ATTR_RDONLY],
  [MS_NOSUID, MOUNT_ATTR_NOSUID],
  [MS_NODEV, MOUNT_ATTR_NODEV],
  [MS_NOEXEC, MOUNT_ATTR_NOEXEC],
  [MS_NODIRATIME, MOUNT_ATTR_NODIRATIME],
  [MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW],
]);
const timeOf = new Map<number, number>([
  [MS_NOATIME, MOUNT_ATTR_NOATIME],
  [MS_RELATIME, MOUNT_ATTR_RELATIME],
  [MS_STRICTATIME, MOUNT_ATTR_STRICTATIME],
]);
const superblockOf = new Map<number, string>([
  [MS_SYNCHRONOUS, "sync"],
  [MS_DIRSYNC, "dirsync"],
  [MS_MANDLOCK, "mand"],
  [MS_LAZYTIME, "lazytime"],
]);

/** Sorts the options of a mount. What no table knows is the file system's. */
export function sortMountOptions(options: readonly string[]): MountOptions {
  const sorted: MountOptions = {
    bind: false,
    recursive: false,
    attributes: { set: 0, clear: 0 },
    recursiveAttributes: { set: 0, clear: 0 },
    propagation: [],
    superblock: [],
    data: [],
    extensions: [],
  };
  for (const option of options) {
    const flag = mountFlags[option];
    const propagation = propagationFlags[option];
    const recursive = recursiveAttributes[option];
    if (flag !== undefined) addFlag(sorted, flag.flag, flag.clear);
    else if (propagation !== undefined) sorted.propagation.push(propagation);
    else if (recursive !== undefined) addAttribute(sorted.recursiveAttributes, recursive.flag, recursive.clear);
    else if ((mountExtensions as readonly string[]).includes(option)) sorted.extensions.push(option);
    else if (option !== "" && !idMapOptions.includes(option)) sorted.data.push(option);
  }
  return sorted;
}

function addFlag(sorted: MountOptions, flag: number, clear: boolean): void {
  if (flag & MS_BIND) {
    sorted.bind = true;
    sorted.recursive ||= (flag & MS_REC) !== 0;
    return;
  }
  const attribute = attributeOf.get(flag);
  const time = timeOf.get(flag);
  const superblock = superblockOf.get(flag);
  if (attribute !== undefined) addAttribute(sorted.attributes, attribute, clear);
  if (time !== undefined) addAttribute(sorted.attributes, clear ? MOUNT_ATTR_RELATIME : time, false, true);
  if (superblock !== undefined) {
    sorted.superblock = sorted.superblock.filter((name) => name !== superblock);
    if (!clear) sorted.superblock.push(superblock);
  }
}

/** The last option that speaks of an attribute wins. A time is set by clearing the whole field first. */
function addAttribute(change: AttributeChange, attribute: number, clear: boolean, time = isTime(attribute)): void {
  if (time) {
    change.clear |= MOUNT_ATTR__ATIME;
    change.set = (change.set & ~MOUNT_ATTR__ATIME) | (clear ? 0 : attribute);
  } else if (clear) {
    change.clear |= attribute;
    change.set &= ~attribute;
  } else {
    change.set |= attribute;
    change.clear &= ~attribute;
  }
}

function isTime(attribute: number): boolean {
  return attribute === MOUNT_ATTR_RELATIME || (attribute & MOUNT_ATTR__ATIME) !== 0;
}
