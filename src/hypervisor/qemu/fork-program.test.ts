import { expect, test } from "bun:test";
import { disassemble } from "../../program/disassembler";
import { jailEntries } from "../jail";
import { forkProgram, sentKinds } from "./fork-program";

const descriptors = {
  ...{ qmp: [3], agent: [4], console: [7, 9], stderr: [2], share: [16], tap: [6] },
  events: [{ fd: 8, flags: 0o4000 }],
  epolls: [10],
  signals: [{ fd: 5, mask: "10002040", flags: 0o4000 }],
  frameHeader: 10,
};
const share = { tag: "share", path: "/s" };
const fork = { socket: "/x", notes: undefined };
const text = disassemble(
  forkProgram({
    ...{ descriptors, sent: sentKinds, directory: "/run/runv/x", name: "runv-222222222222" },
    title: { at: 0x7fff_0000_0000, name: "runv-111111111111" },
    entries: jailEntries({ kernel: "/k", initrd: "/i", share, fork }, "/usr/bin/env", []),
    ...{ umask: 0o22, affinity: new Uint8Array(8), nice: 0 },
  }),
);
const at = (what: string | RegExp) => text.search(what);

test("each descriptor of the parent's is replaced", () => {
  for (const [sent, fds] of [
    [65, [3]],
    [66, [4]],
    [67, [7, 9]],
    [68, [2]],
    [70, [6]],
  ] as const) {
    for (const fd of fds) expect(text).toContain(`dup3(${sent}, ${fd}, `);
  }
  for (const [made, fd] of [
    ["eventfd2", 8],
    ["epoll_create1", 10],
    ["signalfd4", 5],
    [`openat\\(-100, "/share"`, 16],
  ] as const) {
    expect(text).toMatch(new RegExp(`(r\\d+) = ${made}[^\\n]*\\n[^\\n]*dup3\\(\\1, ${fd}, `));
  }
});

test("first its monitor's namespaces, then the jail, then its privileges, then the filter", () => {
  const order = ["setns(", "pivot_root(", "setresuid(", "seccomp("].map((call) => text.indexOf(call));
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(order[0]).toBeGreaterThan(0);
});

test("it is tied to its monitor when nothing undoes that any more, and looks whether that is still there", () => {
  expect(at(/fcntl\(73, 10, 9\)/)).toBeGreaterThan(at(/setresuid\(/));
  expect(at(/recvfrom\(73/)).toBeGreaterThan(at(/fcntl\(73, 4, /));
});

test("only the connection's end tells that all is done: nothing that was sent is left open but what ties it", () => {
  const closed = [...text.matchAll(/close\((\d+)\)/g)].map((match) => Number(match[1]));
  expect(sentKinds.map((_, index) => 65 + index).filter((fd) => !closed.includes(fd))).toEqual([73]);
});
