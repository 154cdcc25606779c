import { expect, test } from "bun:test";
import { decodeCgroupFiles, readCgroupFiles } from "./cgroup-files";
import { oomKills, watchMemoryEvents } from "./watch-memory";

/** What the program puts out for these contents; undefined is a file that is not there. */
function answer(...contents: (string | undefined)[]): Buffer {
  const pieces = contents.map((content) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(content === undefined ? 0xffffffff : content.length);
    return Buffer.concat([length, Buffer.from(content ?? "")]);
  });
  return Buffer.concat(pieces);
}

test("files by their names, without those that are not there", () => {
  expect(decodeCgroupFiles(answer("one", undefined, ""), ["a", "b", "c"])).toEqual(
    new Map([
      ["a", "one"],
      ["c", ""],
    ]),
  );
});

test("an answer that is too short, or lies about its length, is read as far as it goes", () => {
  expect(decodeCgroupFiles(answer("one").subarray(0, 5), ["a"]).size).toBe(0);
  expect(decodeCgroupFiles(answer("one"), ["a", "b"]).size).toBe(1);
  expect(decodeCgroupFiles(answer("x".repeat(20_000)), ["a"]).size).toBe(0);
});

test("the programs fit into what a guest takes", () => {
  expect(readCgroupFiles("id", 1, ["a", "b"]).bytes.length).toBeLessThan(8192);
  expect(watchMemoryEvents("id").stop).toBeGreaterThan(0);
});

test("oom_kill is the number that counts", () => {
  expect(oomKills(Buffer.from("low 0\nmax 9\noom 4\noom_kill 2\noom_group_kill 1\n"))).toBe(2);
  expect(oomKills(Buffer.from("nothing"))).toBe(0);
});
