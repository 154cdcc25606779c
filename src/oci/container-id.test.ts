import { expect, test } from "bun:test";
import { assertContainerId } from "./container-id";

test("ids that runc accepts", () => {
  for (const id of ["a", "A-Z_0.9+x", "...", "-", ".a", "f".repeat(64)])
    expect(() => assertContainerId(id)).not.toThrow();
});

test("ids that runc refuses, in its words", () => {
  for (const id of [".", "..", "a/b", "/", "a b", "ä", "a\n", "a\0", "$", "a:b"]) {
    expect(() => assertContainerId(id)).toThrow("invalid container ID format");
  }
  expect(() => assertContainerId("")).toThrow("container id cannot be empty");
});
