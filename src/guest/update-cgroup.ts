import { AT_FDCWD, O_CLOEXEC, O_RDWR } from "../linux/constants";
import { errnoOf } from "../linux/errno";
import { Assembler, type Register } from "../program/assembler";
import type { Program } from "../program/program";
import { cgroupOf } from "./lower/cgroup";
import type { CgroupFile } from "./lower/resources";

/** Most bytes of a file's content before the change. */
const most = 4096;

/**
 * Changes files of a container's cgroup: all of them or, when one of them refuses, none. What was there before is kept by the
 * program and written back, the last first.
 */
export function updateCgroup(id: string, files: readonly CgroupFile[]): Program {
  const p = new Assembler();
  const [error, which] = [p.register(), p.register()];
  const done = p.label();
  const changes = files.map((file) => change(p, `${cgroupOf(id)}/${file.file}`, file, error));
  p.jump(done);
  for (const [index, { refused }] of [...changes.entries()].reverse()) {
    const undo = p.label();
    p.jump(undo);
    p.place(refused);
    p.set(which, index);
    p.place(undo);
    if (index > 0) changes[index - 1]!.undo();
  }
  for (const [index, file] of files.entries()) {
    const next = p.label();
    p.jumpIf(which, "≠", index, next);
    p.doing(doing(file));
    p.fail(error);
    p.place(next);
  }
  p.place(done);
  return p.assemble();
}

/** Writes a file. @returns where the program goes when it refuses, and a function that writes the code which undoes it */
function change(p: Assembler, path: string, file: CgroupFile, error: Register) {
  const { value, accept = [] } = file;
  const [next, failed, refused] = [p.label(), p.label(), p.label()];
  p.doing(doing(file));
  const either = { accept: "any", otherwise: failed } as const;
  const fd = p.register();
  p.syscall("openat", [AT_FDCWD, p.text(path), O_RDWR | O_CLOEXEC], { ...either, into: error });
  p.set(fd, error);
  const old = p.zeroed(most);
  const length = p.value("read", [fd, old, most], { accept: "any" });
  p.syscall("write", [fd, p.text(value), Buffer.byteLength(value)], { ...either, into: error });
  p.jump(next);
  p.place(failed);
  for (const name of accept) p.jumpIf(error, "=", -errnoOf(name), next);
  p.jump(refused);
  p.place(next);
  return { refused, undo: () => p.syscall("write", [fd, old, length], { accept: "any" }) };
}

function doing({ file, value }: CgroupFile): string {
  return `set ${file} of the container's cgroup to ${JSON.stringify(value)}`;
}
