/**
 * Mount options, as runc knows them: config.md, "Linux mount options". Whatever stands in none of these tables is data
 * for the file system.
 */
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
  MS_I_VERSION,
  MS_LAZYTIME,
  MS_MANDLOCK,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_REMOUNT,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
  MS_UNBINDABLE,
} from "../linux/constants";

const set = (flag: number) => ({ flag, clear: false });
const clear = (flag: number) => ({ flag, clear: true });

/** Flags of mount(2), each set or cleared by its option. */
export const mountFlags: Readonly<Record<string, { readonly flag: number; readonly clear: boolean }>> = {
  async: clear(MS_SYNCHRONOUS),
  atime: clear(MS_NOATIME),
  bind: set(MS_BIND),
  defaults: set(0),
  dev: clear(MS_NODEV),
  diratime: clear(MS_NODIRATIME),
  dirsync: set(MS_DIRSYNC),
  exec: clear(MS_NOEXEC),
  iversion: set(MS_I_VERSION),
  lazytime: set(MS_LAZYTIME),
  loud: clear(MS_SILENT),
  mand: set(MS_MANDLOCK),
  noatime: set(MS_NOATIME),
  nodev: set(MS_NODEV),
  nodiratime: set(MS_NODIRATIME),
  noexec: set(MS_NOEXEC),
  noiversion: clear(MS_I_VERSION),
  nolazytime: clear(MS_LAZYTIME),
  nomand: clear(MS_MANDLOCK),
  norelatime: clear(MS_RELATIME),
  nostrictatime: clear(MS_STRICTATIME),
  nosuid: set(MS_NOSUID),
  nosymfollow: set(MS_NOSYMFOLLOW),
  rbind: set(MS_BIND | MS_REC),
  relatime: set(MS_RELATIME),
  remount: set(MS_REMOUNT),
  ro: set(MS_RDONLY),
  rw: clear(MS_RDONLY),
  silent: set(MS_SILENT),
  strictatime: set(MS_STRICTATIME),
  suid: clear(MS_NOSUID),
  symfollow: clear(MS_NOSYMFOLLOW),
  sync: set(MS_SYNCHRONOUS),
};

/** How mounts spread between namespaces: flags of a mount(2) of its own. */
export const propagationFlags: Readonly<Record<string, number>> = {
  private: MS_PRIVATE,
  rprivate: MS_PRIVATE | MS_REC,
  rshared: MS_SHARED | MS_REC,
  rslave: MS_SLAVE | MS_REC,
  runbindable: MS_UNBINDABLE | MS_REC,
  shared: MS_SHARED,
  slave: MS_SLAVE,
  unbindable: MS_UNBINDABLE,
};

/** The values of linux.rootfsPropagation. */
export const rootfsPropagations = Object.keys(propagationFlags);

/** Attributes of mount_setattr(2) with AT_RECURSIVE: for all that is mounted below as well. */
export const recursiveAttributes: Readonly<Record<string, { readonly flag: number; readonly clear: boolean }>> = {
  ratime: clear(MOUNT_ATTR_NOATIME),
  rdev: clear(MOUNT_ATTR_NODEV),
  rdiratime: clear(MOUNT_ATTR_NODIRATIME),
  rexec: clear(MOUNT_ATTR_NOEXEC),
  rnoatime: set(MOUNT_ATTR_NOATIME),
  rnodev: set(MOUNT_ATTR_NODEV),
  rnodiratime: set(MOUNT_ATTR_NODIRATIME),
  rnoexec: set(MOUNT_ATTR_NOEXEC),
  rnorelatime: clear(MOUNT_ATTR_RELATIME),
  rnostrictatime: clear(MOUNT_ATTR_STRICTATIME),
  rnosuid: set(MOUNT_ATTR_NOSUID),
  rnosymfollow: set(MOUNT_ATTR_NOSYMFOLLOW),
  rrelatime: set(MOUNT_ATTR_RELATIME),
  rro: set(MOUNT_ATTR_RDONLY),
  rrw: clear(MOUNT_ATTR_RDONLY),
  rstrictatime: set(MOUNT_ATTR_STRICTATIME),
  rsuid: clear(MOUNT_ATTR_NOSUID),
  rsymfollow: clear(MOUNT_ATTR_NOSYMFOLLOW),
};

/** What runtimes add to the kernel's options: `tmpcopyup` fills a new tmpfs with what it hides. */
export const mountExtensions = ["tmpcopyup"] as const;

/** Options that map ids between a mount and its source. */
export const idMapOptions = ["idmap", "ridmap"] as const;

/** Mount options, taken apart. */
export interface MountOptions {
  /** For mount(2). */
  flags: number;
  /** Flags that an option asked to be off, which a bind mount inherits otherwise. */
  cleared: number;
  /** In their order, each for a mount(2) of its own. */
  propagation: number[];
  /** For mount_setattr(2) with AT_RECURSIVE; undefined when no option asks for it. */
  recursive: { set: number; clear: number } | undefined;
  tmpcopyup: boolean;
  /** What is left, for the file system. */
  data: string[];
}

/** Takes mount options apart. Of two that contradict each other the later one holds. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const out: MountOptions = { flags: 0, cleared: 0, propagation: [], recursive: undefined, tmpcopyup: false, data: [] };
  for (const option of options) {
    const flag = own(mountFlags, option);
    const propagation = own(propagationFlags, option);
    const attribute = own(recursiveAttributes, option);
    if (flag !== undefined) {
      out.flags = flag.clear ? out.flags & ~flag.flag : out.flags | flag.flag;
      out.cleared = flag.clear ? out.cleared | flag.flag : out.cleared & ~flag.flag;
    } else if (propagation !== undefined) out.propagation.push(propagation);
    else if (attribute !== undefined) out.recursive = withAttribute(out.recursive, attribute);
    else if (option === "tmpcopyup") out.tmpcopyup = true;
    else out.data.push(option);
  }
  return out;
}

function withAttribute(old = { set: 0, clear: 0 }, { flag, clear }: { flag: number; clear: boolean }) {
  const next = clear
    ? { set: old.set & ~flag, clear: old.clear | flag }
    : { set: old.set | flag, clear: old.clear & ~flag };
  // The kernel wants the whole field cleared where one of the access-time values is set.
  if ((flag & MOUNT_ATTR__ATIME) === flag) next.clear |= MOUNT_ATTR__ATIME;
  return next;
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
