import { afterAll, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { detachedOverlay } from "./overlay";

const scratch = mkdtempSync(join(tmpdir(), "overlay-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const directory = (name: string, files: string[]) => {
  const path = join(scratch, name);
  mkdirSync(path);
  for (const file of files) writeFileSync(join(path, file), `of ${name}`);
  return path;
};
const asRoot = test.skipIf(process.getuid?.() !== 0);

asRoot("layers of the host are one file system, which is mounted nowhere", () => {
  const fd = detachedOverlay([`lowerdir=${directory("b", ["f", "g"])}:${directory("a", ["g", "h"])}`], "mounts[3]");
  const [place, mounts] = [`/proc/self/fd/${fd}`, readFileSync("/proc/self/mountinfo", "utf8")];
  expect(readdirSync(place).sort()).toEqual(["f", "g", "h"]);
  expect(readFileSync(join(place, "g"), "utf8")).toBe("of b");
  expect(mounts).not.toContain(scratch);
  closeSync(fd);
});

asRoot("an option that the host refuses is named", () => {
  const make = (...options: string[]) => detachedOverlay(options, "mounts[3]");
  expect(() => make("lowerdir=/no/such", "upperdir=/no/such")).toThrow(/^mounts\[3\]: (.* of )?lowerdir=\/no\/such/);
  expect(() => make("nonsense")).toThrow("mounts[3]: nonsense: ");
});

test("a value that is too long is refused before anything is made", () => {
  const option = `lowerdir=/${"a".repeat(255)}`;
  expect(() => detachedOverlay([option], "mounts[3]")).toThrow("mounts[3].options: lowerdir: has more than 255 bytes");
});
