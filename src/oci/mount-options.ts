/**
 * Mount options, as runc knows them: config.md, "Linux mount options". Whatever stands in none of these tables is data
 * for the file system.
 */
import {
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

/** A table without a prototype: an option "constructor" is not in it. */
function table<T>(entries: Record<string, T>): Readonly<Record<string, T>> {
  return Object.assign(Object.create(null), entries);
}

/** Flags of mount(2), each set or cleared by its option. */
export const mountFlags = table({
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
});

/** How mounts spread between namespaces: flags of a mount(2) of its own. */
export const propagationFlags = table({
  private: MS_PRIVATE,
  rprivate: MS_PRIVATE | MS_REC,
  rshared: MS_SHARED | MS_REC,
  rslave: MS_SLAVE | MS_REC,
  runbindable: MS_UNBINDABLE | MS_REC,
  shared: MS_SHARED,
  slave: MS_SLAVE,
  unbindable: MS_UNBINDABLE,
});

/** The values of linux.rootfsPropagation. */
export const rootfsPropagations = Object.keys(propagationFlags);

/** Attributes of mount_setattr(2) with AT_RECURSIVE: for all that is mounted below as well. */
export const recursiveAttributes = table({
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
});

/** What runtimes add to the kernel's options: `tmpcopyup` fills a new tmpfs with what it hides. */
export const mountExtensions = ["tmpcopyup"] as const;

/** Options that map the ids of a bind mount: of its root, or of all mounts in it. */
export const idMapOptions: readonly string[] = ["idmap", "ridmap"];

/** Options that are known and refused: each mount of a container is a new one. */
export const refusedOptions: readonly string[] = ["remount"];
