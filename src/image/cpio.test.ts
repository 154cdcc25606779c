import { expect, test } from "bun:test";
import { directory, file, listCpio, readCpioHeader, writeCpio } from "./cpio";

const entries = [file("first", "odd"), directory("dir", 0o1777), file("dir/program", new Uint8Array(5), 0o755)];

test("what is written is read back: paths, modes, data at 4-aligned places", () => {
  const archive = writeCpio(entries);
  const found = listCpio(archive);
  expect(found.map(({ path, mode, dataSize }) => [path, mode, dataSize])).toEqual([
    ["first", 0o100644, 3],
    ["dir", 0o041777, 0],
    ["dir/program", 0o100755, 5],
  ]);
  expect(found.every(({ dataOffset, end }) => dataOffset % 4 === 0 && end % 4 === 0)).toBe(true);
  const { dataOffset } = found[0]!;
  expect(Buffer.from(archive.subarray(dataOffset, dataOffset + 3)).toString()).toBe("odd");
});

test("cpio itself agrees", async () => {
  if (Bun.which("cpio") === null) return;
  const child = Bun.spawn(["cpio", "-t", "--quiet"], { stdin: writeCpio(entries), stdout: "pipe" });
  expect(await new Response(child.stdout).text()).toBe("first\ndir\ndir/program\n");
});

test("the same entries are the same bytes", () => {
  expect(writeCpio(entries)).toEqual(writeCpio(entries));
});

test("what is no header is none", () => {
  const archive = writeCpio(entries);
  expect(readCpioHeader(archive.subarray(0, 3), 0)).toBeUndefined();
  expect(readCpioHeader(archive, archive.length)).toBeUndefined();
  const broken = Uint8Array.from(archive);
  broken.fill(0x7a, 6, 110);
  expect(readCpioHeader(broken, 0)).toBeUndefined();
});
