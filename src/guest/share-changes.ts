/**
 * The guest keeps what it knows of a container's root file system. What others change of it, on the host or in another machine, its kernel cannot be told:
 * virtio-fs has no message for that. So a process of the guest waits for changes (preload/fs/changes.c tells of them) and has the kernel ask anew.
 */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_STATX_FORCE_SYNC,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
} from "../linux/constants";
import { Assembler, type Register } from "../program/assembler";
import { close, tryToWrite } from "../program/files";
import type { Program } from "../program/program";
import { sharePath } from "./places";

/** struct change of preload/fs/protocol.h, and where in it what is. */
const size = 288;
const [whatAt, flagsAt, handleAt, nameAt] = [0, 4, 8, 28];
/** As enum what of preload/fs/changes.c has it: a name of a directory, everything; or else a file. */
const [changedName, changedAll] = [2, 3];
/** STATX_BASIC_STATS of linux/stat.h, and the size of struct statx. */
const [basicStats, statxSize] = [0x7ff, 256];

/**
 * Waits for changes, for as long as the share is mounted. A file that is opened gives up what is kept of its content, for the server says so to this process; to ask for
 * its status does the same for its attributes, and to make a directory of some name, which the server refuses, for the name.
 */
export function followChanges(): Program {
  const p = new Assembler();
  p.doing("follow what the host changes of the share");
  tryToWrite(p, "/proc/self/oom_score_adj", "-1000");
  const change = p.zeroed(size);
  const status = p.zeroed(statxSize);
  const share = p.value("openat", [AT_FDCWD, p.text(sharePath), O_RDONLY | O_DIRECTORY | O_CLOEXEC]);
  const [again, all, end] = [p.label(), p.label(), p.label()];
  const ask = (directory: Register, name: Parameters<Assembler["syscall"]>[1][number], flags: number) =>
    p.syscall("statx", [directory, name, flags | AT_STATX_FORCE_SYNC, basicStats, status], { accept: "any" });
  p.place(again);
  p.syscall("fgetxattr", [share, p.text("trusted.runv.changes"), change, size], { accept: "any", otherwise: end });
  const what = p.load(change.plus(whatAt), 4);
  p.jumpIf(what, "=", changedAll, all);
  const flags = p.load(change.plus(flagsAt), 4);
  const file = p.register();
  // It may be known no more, or be gone.
  p.syscall("open_by_handle_at", [share, change.plus(handleAt), flags], {
    ...{ into: file, accept: "any", otherwise: again },
  });
  ask(file, p.text(""), AT_EMPTY_PATH);
  const closeFile = p.label();
  p.jumpIf(what, "≠", changedName, closeFile);
  ask(file, change.plus(nameAt), AT_SYMLINK_NOFOLLOW);
  p.syscall("mkdirat", [file, change.plus(nameAt), 0], { accept: "any" });
  p.place(closeFile);
  p.syscall("close", [file]);
  p.jump(again);
  p.place(all);
  // Names that are known to be nobody's are in no list but the kernel's.
  for (let i = 0; i < 3; i++) tryToWrite(p, "/proc/sys/vm/drop_caches", "2");
  p.jump(again);
  p.place(end);
  close(p, share);
  return p.assemble();
}
