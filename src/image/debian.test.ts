import { expect, test } from "bun:test";
import { dependencyIn, fieldOf } from "./debian";

const control = "Package: linux-image-amd64\nVersion: 6.1.192-2\nDepends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)\n";

test("the real package is what the meta package depends on", () => {
  expect(dependencyIn(fieldOf(control, "Depends")!)).toBe("linux-image-6.1.0-56-amd64");
  expect(dependencyIn("linux-base, linux-image-6.12.9+deb13-amd64 (= 1) | x")).toBe("linux-image-6.12.9+deb13-amd64");
  expect(dependencyIn("linux-base")).toBeUndefined();
});

test("fields are found by their whole name", () => {
  expect(fieldOf(control, "Version")).toBe("6.1.192-2");
  expect(fieldOf(control, "ersion")).toBeUndefined();
  expect(fieldOf("", "Version")).toBeUndefined();
});
