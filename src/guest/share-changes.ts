/**
 * The guest keeps what it knows of a container's root file system. What others change of it, on the host or in another machine, its kernel cannot be told:
 * virtio-fs has no message for that. So a process of the guest waits for changes (preload/fs/changes.c tells of them) and has the kernel ask anew. And it does
 * what the host has done, of volumes as well, so that the kernel tells those that watch (inotify): the server answers as if it were done then (preload/fs/replay.c).
 */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_STATX_FORCE_SYNC,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
} from "../linux/constants";
import { type Address, Assembler, type Label, type Register } from "../program/assembler";
import { close, tryToWrite } from "../program/files";
import type { Program } from "../program/program";
import { sharePath } from "./places";

/** struct change of preload/fs/protocol.h, and where in it what is. */
const size = 2648;
const [whatAt, flagsAt, handleAt, nameAt] = [0, 4, 8, 28];
const [modeAt, timesAt, toAt, toNameAt, pathAt, toPathAt] = [284, 288, 320, 340, 596, 1620];
/** As enum what of preload/fs/protocol.h has it. */
const what = {
  ...{ file: 1, name: 2, all: 3 },
  ...{ times: 4, close: 5, make: 6, makeDirectory: 7, makeLink: 8, remove: 9, rename: 10 },
};
/** STATX_BASIC_STATS of linux/stat.h, and the size of struct statx. */
const [basicStats, statxSize] = [0x7ff, 256];

/**
 * Waits for changes, for as long as the share is mounted. A file that is opened gives up what is kept of its content, for the server says so to this process; to ask for
 * its status does the same for its attributes, and to make a directory of some name, which the server refuses, for the name. Nothing that it does changes anything on the host.
 */
export function followChanges(): Program {
  const p = new Assembler();
  p.doing("follow what the host changes of the share");
  tryToWrite(p, "/proc/self/oom_score_adj", "-1000");
  const change = p.zeroed(size);
  const status = p.zeroed(statxSize);
  const share = p.value("openat", [AT_FDCWD, p.text(sharePath), O_RDONLY | O_DIRECTORY | O_CLOEXEC]);
  const [again, closeFile, end] = [p.label(), p.label(), p.label()];
  /** What is done for each, with the file or directory that is told of. */
  const actions: [of: number, act: (file: Register) => void][] = [];
  const name = change.plus(nameAt);
  // It may be known no more, or be gone.
  const any = { accept: "any" } as const;
  const ask = (file: Register, path: Address, flags: number) =>
    p.syscall("statx", [file, path, flags | AT_STATX_FORCE_SYNC, basicStats, status], any);
  /** Opens a file by its handle, or a directory whose handle leads nowhere any more by its path, which is empty for others. */
  const open = (handle: number, path: number, flags: number | Register, otherwise: Label): Register => {
    const [byPath, opened] = [p.label(), p.label()];
    const file = p.value("open_by_handle_at", [share, change.plus(handle), flags], {
      ...{ accept: "any", otherwise: byPath },
    });
    p.jump(opened);
    p.place(byPath);
    p.syscall("openat", [share, change.plus(path), flags], { into: file, accept: "any", otherwise });
    p.place(opened);
    return file;
  };
  actions.push([what.file, (file) => ask(file, p.text(""), AT_EMPTY_PATH)]);
  actions.push([
    what.name,
    (file) => {
      ask(file, p.text(""), AT_EMPTY_PATH);
      ask(file, name, AT_SYMLINK_NOFOLLOW);
      p.syscall("mkdirat", [file, name, 0], any);
    },
  ]);
  actions.push([
    what.times,
    (file) => {
      const flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
      ask(file, name, flags);
      p.syscall("utimensat", [file, name, change.plus(timesAt), flags], any);
    },
  ]);
  actions.push([
    what.close,
    (file) => {
      const flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
      close(p, p.value("openat", [file, name, flags], { accept: "any", otherwise: closeFile }));
    },
  ]);
  actions.push([what.make, (file) => p.syscall("mknodat", [file, name, p.load(change.plus(modeAt), 4), 0], any)]);
  actions.push([what.makeDirectory, (file) => p.syscall("mkdirat", [file, name, 0o700], any)]);
  actions.push([what.makeLink, (file) => p.syscall("symlinkat", [p.text("."), file, name], any)]);
  actions.push([what.remove, (file) => p.syscall("unlinkat", [file, name, p.load(change.plus(modeAt), 4)], any)]);
  actions.push([
    what.rename,
    (file) => {
      const to = open(toAt, toPathAt, O_PATH | O_NOFOLLOW | O_CLOEXEC, closeFile);
      p.syscall("renameat2", [file, name, to, change.plus(toNameAt), 0], any);
      close(p, to);
    },
  ]);

  p.place(again);
  p.syscall("fgetxattr", [share, p.text("trusted.runv.changes"), change, size], { accept: "any", otherwise: end });
  const told = p.load(change.plus(whatAt), 4);
  const all = p.label();
  p.jumpIf(told, "=", what.all, all);
  const file = open(handleAt, pathAt, p.load(change.plus(flagsAt), 4), again);
  for (const [of, act] of actions) {
    const next = p.label();
    p.jumpIf(told, "≠", of, next);
    act(file);
    p.jump(closeFile);
    p.place(next);
  }
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
