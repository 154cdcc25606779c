import { expect, test } from "bun:test";
import { memoryProblem } from "./fork-parent";

const glibc = "7f0000000000-7f0000001000 r-xp 00000000 08:01 1  /usr/lib/x86_64-linux-gnu/libc.so.6";

test("a process with glibc, by the names of all its versions, whose memory is its own", () => {
  const own =
    "7f0000002000-7f0000003000 rw-p 00000000 00:00 0\n7f0000003000-7f0000004000 r--s 00000000 08:01 2  /cache";
  for (const name of ["libc.so.6", "libc-2.31.so"]) {
    expect(memoryProblem(`${glibc.replace("libc.so.6", name)}\n${own}\n`)).toBeUndefined();
  }
});

test("memory that clones would write to together, and the threads of another C library", () => {
  const shared = "7f0000002000-7f0000003000 rw-s 00000000 00:01 3  /dev/zero (deleted)";
  expect(memoryProblem(`${glibc}\n${shared}\n`)).toContain(`would share: ${shared}`);
  expect(memoryProblem(glibc.replace("libc.so.6", "ld-musl-x86_64.so.1"))).toContain("another C library");
});
