import { expect, test } from "bun:test";
import { disassemble } from "../../program/disassembler";
import { jailEntries } from "../jail";
import { confine, home } from "./confine";

const machine = { kernel: "/k", initrd: "/i", share: { tag: "share", path: "/s" } };
const entries = [...jailEntries(machine, "/usr/bin/env", ["/dev/kvm"]), { path: home, scratch: true } as const];
const confinement = {
  parent: 4242,
  directory: "/run/runv/x",
  entries,
  closeFrom: 4,
  command: ["/usr/bin/lkvm", "run"],
};
const program = confine(confinement);
const text = disassemble(program);

test("it stays root, with six capabilities and no way to get more", () => {
  expect([...text.matchAll(/prctl\(24, (\d+)\)/g)]).toHaveLength(64 - 6);
  expect(text).toContain("prctl(38, 1)");
  expect(text).not.toContain("setresuid");
});

test("it has a directory of its own to write to, and dies with its monitor", () => {
  expect(text).toContain('mount("lkvm", "home", "tmpfs"');
  expect(text).toMatch(/if r\d+ = 4242/);
  expect(text.trimEnd()).toMatch(/execve\("\/usr\/bin\/lkvm", \S+, \S+\)$/);
  expect(Buffer.from(program.bytes).includes("HOME=/home\0")).toBeTrue();
});
