import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { disassemble } from "../../program/disassembler";
import { jailEntries } from "../jail";
import { confine } from "./confine";

const root = mkdtempSync(join(tmpdir(), "runv-jail-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
for (const directory of ["usr/bin", "etc", "lib64", "opt/qemu/bin"])
  mkdirSync(join(root, directory), { recursive: true });
symlinkSync("usr/lib", join(root, "lib"));
writeFileSync(join(root, "etc/ld.so.cache"), "");
writeFileSync(join(root, "opt/qemu/bin/qemu"), "");

const machine = { kernel: "/k", initrd: "/i", share: { tag: "share", path: "/s" } };

test("the jail holds the system, the machine's files and nothing else", () => {
  const entries = jailEntries(machine, "/usr/bin/env", ["/dev/kvm"], root);
  expect(
    entries.map((entry) =>
      "link" in entry ? `${entry.path} -> ${entry.link}` : `${entry.path} = ${"source" in entry ? entry.source : ""}`,
    ),
  ).toEqual([
    "/usr = /usr",
    "/lib -> usr/lib",
    "/lib64 = /lib64",
    "/etc/ld.so.cache = /etc/ld.so.cache",
    "/proc/self/fd = /proc/self/fd",
    "/dev/kvm = /dev/kvm",
    "/kernel = /k",
    "/initrd = /i",
    "/share = /s",
  ]);
  const memory = (write: boolean) =>
    jailEntries({ ...machine, memory: { path: "/m", write } }, "/usr/bin/env", [], root).find(
      ({ path }) => path === "/memory",
    );
  for (const write of [true, false]) expect(memory(write)).toMatchObject({ source: "/m", writable: write });
  const clones = jailEntries({ ...machine, restore: 3 }, "/usr/bin/env", [], root).map(({ path }) => path);
  expect(clones.filter((path) => path === "/kernel" || path === "/initrd")).toEqual([]);
  const writable = entries.flatMap((entry) => ("writable" in entry && entry.writable ? [entry.path] : []));
  expect(writable).toEqual(["/dev/kvm"]);
});

test("a QEMU outside of the system brings its own directory", () => {
  const entries = jailEntries(machine, join(root, "opt/qemu/bin/qemu"), [], "/");
  expect(entries).toContainEqual({
    path: join(root, "opt/qemu"),
    source: join(root, "opt/qemu"),
    kind: "directory",
    recursive: false,
    writable: false,
  });
});

const confinement = {
  parent: 4242,
  directory: "/run/runv/x",
  entries: jailEntries(machine, "/usr/bin/env", [], root),
  command: ["/usr/bin/qemu", "-S"],
  smallPages: true,
  servesFiles: true,
  hasRouter: false,
  forks: false,
};
const program = confine(confinement);
const text = disassemble(program);

test("QEMU is tied to its monitor after the change of ids, which would undo it", () => {
  expect(text.indexOf("prctl(1, 9)")).toBeGreaterThan(text.indexOf("setresuid("));
  expect(text.indexOf("getppid()")).toBeGreaterThan(text.indexOf("prctl(1, 9)"));
  expect(text).toMatch(/if r\d+ = 4242/);
  expect(text.trimEnd()).toMatch(/execve\("\/usr\/bin\/qemu", \S+, \S+\)$/);
});

test("all capabilities but six are dropped", () => {
  const dropped = [...text.matchAll(/prctl\(24, (\d+)\)/g)].map((match) => Number(match[1]));
  expect(dropped).toHaveLength(64 - 6);
  for (const needed of [0, 1, 3, 4, 27, 31]) expect(dropped).not.toContain(needed);
  // By which files are opened that are not in the jail: open_by_handle_at(2).
  expect(dropped).toContain(2);
  expect([...text.matchAll(/prctl\(47, 2/g)]).toHaveLength(6);
  expect(text).toContain("prctl(38, 1)");
  const without = disassemble(confine({ ...confinement, servesFiles: false, hasRouter: false }));
  expect([...without.matchAll(/prctl\(24\b/g)]).toHaveLength(64 - 1);
});

test("QEMU's environment is what is to be loaded into it", () => {
  expect(Buffer.from(program.bytes).includes("LD_PRELOAD=/proc/self/fd/8\0")).toBeTrue();
});

test("every source is held before the jail covers the directory it may be in", () => {
  expect(text.lastIndexOf("open_tree(")).toBeLessThan(text.indexOf('mount("qemu"'));
});

test("the share is bound in one step, so that nothing is missed that is attached to it meanwhile", () => {
  expect(text).toMatch(/mount\("\/proc\/self\/fd\/", "share", 0, 20480\)/);
});

test("what failed is said in words", () => {
  const index = program.notes.findIndex(({ doing }) => doing === "take /s");
  expect(program.failure(index, 2).message).toMatch(/^take \/s: /);
});
