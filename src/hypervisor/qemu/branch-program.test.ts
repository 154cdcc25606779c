import { expect, test } from "bun:test";
import { disassemble } from "../../program/disassembler";
import { Program } from "../../program/program";
import { branchProgram } from "./branch-program";
import { fillProgram, noteOf } from "./fork-notes";
import { sandboxProfile } from "./sandbox-filter";

const file = { flags: 0o100002, position: 5n };
const descriptors = {
  ...{ qmp: [3], agent: [4], console: [7], stderr: [2], share: [21], tap: [6], served: [], server: [] },
  ...{ events: [{ fds: [10, 13], flags: 0o4000 }], epolls: [9], signals: [{ fd: 5, mask: "10002040", flags: 0o4000 }] },
  frameHeader: 10,
  files: [
    { ...file, fd: 30, path: "one/rootfs/counted", flags: 0o2102001 },
    { ...file, fd: 31, path: "one/rootfs/gone", unnamed: { mode: 0o600, uid: 1, gid: 2, file: "1:2" } },
    {
      ...file,
      fd: 32,
      path: "one/rootfs/gone",
      flags: 0o100000,
      unnamed: { mode: 0o600, uid: 1, gid: 2, file: "1:2" },
    },
  ],
  last: 90,
};
const title = { at: 0x7fff_0000_0000, name: "runv-111111111111" };
const notes = { ...branchProgram({ descriptors, title, life: 73, connection: 108 }), freePageReporting: true };
const values = {
  ...{ directory: "", share: "", name: "runv-222222222222" },
  ...{ umask: 0n, nice: 0n, affinity: new Uint8Array([3]) },
};
const filled = fillProgram(notes, values);
const text = disassemble(new Program(filled, []));
const numberOf = (kind: (typeof notes.sent)[number]) => 109 + notes.sent.indexOf(kind);

test("what it is sent takes the place of its parent's", () => {
  for (const [kind, fd] of [
    ["qmp", 3],
    ["agent", 4],
    ["console", 7],
    ["stderr", 2],
    ["share", 21],
    ["tap", 6],
    ["life", 73],
    ["forks", 11],
  ] as const) {
    expect(text).toContain(`dup3(${numberOf(kind)}, ${fd}, `);
    expect(text).toContain(`close(${numberOf(kind)})`);
  }
});

test("whoever waits for an event is woken once, for nothing is known of those under way", () => {
  expect(text).toMatch(/(r\d+) = eventfd2\(1, [^\n]*\n[^\n]*dup3\(\1, 10, /);
});

test("open files are opened again below its own share, beneath it, and one without a name is copied once", () => {
  expect(text).toMatch(new RegExp(`openat2\\(${numberOf("share")}, "one/rootfs/counted", `));
  expect(text.match(/pwrite64\(/g)).toHaveLength(1);
  expect(text).toContain('"/proc/self/fd/31"');
  for (const fd of [30, 31, 32]) expect(text).toMatch(new RegExp(`dup3\\(r\\d+, ${fd}, `));
});

test("it makes no system call that its filter kills or refuses, but those that it is content without", () => {
  const denied = new Set(sandboxProfile().syscalls.flatMap(({ names, args }) => (args.length === 0 ? names : [])));
  const called = [...new Set([...text.matchAll(/(\w+)\(/g)].map(([, name]) => name!))];
  expect(called.filter((name) => denied.has(name))).toEqual([]);
  expect(called).toContain("openat2");
});

test("its parent's name is written over with its own, and what failed is said in words", () => {
  expect(Buffer.from(filled).includes("runv-222222222222\0")).toBeTrue();
  const at = text.split("\n").findIndex((line) => line.includes("openat2("));
  expect(noteOf(notes, at)).toBe("open /rootfs/counted again");
});
