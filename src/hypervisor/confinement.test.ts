import { expect, test } from "bun:test";
import { syscall } from "../linux/local";
import { Assembler } from "../program/assembler";
import { newKeyring } from "./confinement";
import { spawnProgram } from "./spawn-program";

/** linux/keyctl.h: KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING. */
const [getKeyringId, sessionKeyring] = [0, -3];

/** How a process ends that has another session keyring than this one, or the same. */
async function compared(prepare: (p: Assembler) => void): Promise<number | null> {
  const own = syscall("keyctl", getKeyringId, sessionKeyring, 1, 0, 0);
  const p = new Assembler();
  prepare(p);
  p.doing("have another keyring than the caller");
  const other = p.label();
  p.jumpIf(p.value("keyctl", [getKeyringId, sessionKeyring, 0, 0, 0]), "≠", own, other);
  p.fail(1);
  p.place(other);
  const child = spawnProgram(p.assemble(), ["ignore", "ignore", "ignore"]);
  await child.exited;
  return child.exitCode;
}

test("a program has nothing of its caller's session keyring", async () => {
  expect(await compared(() => {})).toBe(125);
  expect(await compared((p) => newKeyring(p, "program"))).toBe(0);
});
