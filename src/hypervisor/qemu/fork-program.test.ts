import { expect, test } from "bun:test";
import { disassemble } from "../../program/disassembler";
import { Program } from "../../program/program";
import { fillProgram, noteOf } from "./fork-notes";
import { forkProgram } from "./fork-program";

const descriptors = {
  ...{ qmp: [3], agent: [4], console: [7, 9], stderr: [2], share: [16], tap: [6] },
  ...{ served: [17, 18], server: [12] },
  events: [{ fds: [8], flags: 0o4000 }],
  epolls: [10],
  signals: [{ fd: 5, mask: "10002040", flags: 0o4000 }],
  frameHeader: 10,
};
const title = { at: 0x7fff_0000_0000, name: "runv-111111111111" };
const template = forkProgram({ descriptors, title, binary: "/usr/bin/env" });
const values = {
  ...{ directory: "/run/runv/x", share: "/run/runv/x/share", name: "runv-222222222222" },
  ...{ umask: 0o22n, nice: -5n, affinity: new Uint8Array([3]) },
};
const filled = fillProgram(template, values);
const text = disassemble(new Program(filled, []));
const at = (what: string | RegExp) => text.search(what);
const [tap, root, life] = [69, 71, 73];

test("each descriptor of the parent's is replaced", () => {
  for (const [sent, fds] of [
    [65, [3]],
    [66, [4]],
    [67, [7, 9]],
    [68, [2]],
    [tap, [6]],
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

test("qemu and the server of its share are connected anew", () => {
  for (const fd of [17, 18, 12]) expect(text).toMatch(new RegExp(`socketpair\\(1, [^]*dup3\\(r\\d+, ${fd}, `));
  const without = forkProgram({
    descriptors: { ...descriptors, served: [], server: [] },
    title,
    binary: "/usr/bin/env",
  });
  expect(disassemble(new Program(fillProgram(without, values), []))).not.toContain("socketpair");
});

test("first its monitor's namespaces, then the jail, then its privileges, then the filter", () => {
  const order = ["setns(", "pivot_root(", "setresuid(", "seccomp("].map((call) => text.indexOf(call));
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(order[0]).toBeGreaterThan(0);
});

test("in its monitor's namespace it has its monitor's root, which that of the namespace need not be", () => {
  expect(text).toMatch(
    new RegExp(`setns\\(70, [^\\n]*\\n[^\\n]*fchdir\\(${root}\\)[^\\n]*\\n[^\\n]*chroot\\("\\."\\)`),
  );
});

test("it is tied to its monitor when nothing undoes that any more, and looks whether that is still there", () => {
  expect(at(`fcntl(${life}, 10, 9)`.replace(/[()]/g, "\\$&"))).toBeGreaterThan(at(/setresuid\(/));
  expect(at(new RegExp(`recvfrom\\(${life}`))).toBeGreaterThan(at(new RegExp(`fcntl\\(${life}, 4, `)));
});

test("nothing that was sent is left open but what ties it", () => {
  const closed = [...text.matchAll(/close\((\d+)\)/g)].map((match) => Number(match[1]));
  expect(template.sent.map((_, index) => 65 + index).filter((fd) => !closed.includes(fd))).toEqual([life]);
});

test("a machine's own paths and numbers are filled in", () => {
  expect(text).toContain('mount("qemu", "/run/runv/x", "tmpfs"');
  expect(text).toContain('openat(-100, "/run/runv/x/share"');
  expect(Buffer.from(filled).includes("runv-222222222222\0")).toBeTrue();
  const { umask, nice } = template.holes;
  const view = new DataView(filled.buffer);
  expect([view.getBigInt64(umask!.at, true), view.getBigInt64(nice!.at, true)]).toEqual([0o22n, -5n]);
  expect(() => fillProgram(template, { ...values, name: "a name that is longer than its parent's" })).toThrow(
    "name: 40 bytes",
  );
});

test("a machine without a tap is sent none", () => {
  const without = forkProgram({ descriptors: { ...descriptors, tap: [] }, title, binary: "/usr/bin/env" });
  expect(without.sent).toEqual(template.sent.filter((kind) => kind !== "tap"));
});

test("what failed is said in words", () => {
  const before = text.split("\n").findIndex((line) => line.includes('openat(-100, "/run/runv/x/share"'));
  expect(noteOf(template, before)).toBe("take the machine's share");
});
