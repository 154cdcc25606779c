import { O_CLOEXEC, O_RDONLY } from "../linux/constants";
import type { Assembler, Register } from "../program/assembler";
import { close } from "../program/files";
import { CgroupTree } from "./each-cgroup";

/** Does something with the id of each process of a container, in init's pid namespace, whichever of its cgroups it is in. */
export function eachProcess(p: Assembler, id: string, body: (pid: Register) => void): void {
  new CgroupTree(p, id).each((cgroup) => eachOf(p, cgroup, body));
}

/** The processes of one cgroup. The program reads `cgroup.procs`, an id a line, byte by byte. */
function eachOf(p: Assembler, cgroup: Register, body: (pid: Register) => void): void {
  const byte = p.zeroed(8);
  const none = p.label();
  const file = p.value("openat", [cgroup, p.text("cgroup.procs"), O_RDONLY | O_CLOEXEC], {
    accept: ["ENOENT", "ENODEV"],
    otherwise: none,
  });
  const [pid, length, digit, twice] = [p.register(), p.register(), p.register(), p.register()];
  const [next, end, line] = [p.label(), p.label(), p.label()];
  p.set(pid, 0);
  p.place(next);
  // That of a threaded cgroup cannot be read: its processes are in the file of one above it.
  p.syscall("read", [file, byte, 1], { into: length, accept: ["ENOTSUP", "ENODEV"] });
  p.jumpIf(length, "<", 1, end);
  p.load(byte, 1, digit);
  p.jumpIf(digit, "=", "\n".charCodeAt(0), line);
  // pid × 10 + digit, where there is nothing but addition
  p.add(pid, pid, twice);
  p.add(twice, twice, pid);
  p.add(pid, pid, pid);
  p.add(pid, twice, pid);
  p.add(pid, digit, pid);
  p.add(pid, -"0".charCodeAt(0), pid);
  p.jump(next);
  p.place(line);
  body(pid);
  p.set(pid, 0);
  p.jump(next);
  p.place(end);
  close(p, file);
  p.place(none);
  p.release(pid, length, digit, twice);
}
