import { expect, test } from "bun:test";
import { nineP } from "./nine-p";

test("what a guest keeps of its files is chosen by its kernel, so that nothing is lost", () => {
  const cacheOf = (release: string, cache?: "mmap" | "loose") =>
    /,cache=([^,]*),/.exec(nineP("virtio", cache).options(release))?.[1];
  expect(["5.10.0-28-amd64", "6.1.0-57-amd64", "6.3.13"].map((release) => cacheOf(release))).toEqual(
    Array(3).fill("mmap"),
  );
  expect(["6.4.0", "6.12.117+deb13-amd64", "7.2.13", "10.0-rc1"].map((release) => cacheOf(release))).toEqual(
    Array(4).fill("none"),
  );
  expect(["6.1.0", "6.12.0"].map((release) => cacheOf(release, "loose"))).toEqual(["loose", "loose"]);
});

test("what files cannot be used for is said of the kernels and caches for which it is so", () => {
  const limitOf = (release: string, cache?: "mmap" | "loose") => nineP("virtio", cache).limit?.(release);
  expect(["6.1.0-57-amd64", "6.3.13"].map((release) => limitOf(release))).toEqual([undefined, undefined]);
  expect(limitOf("6.12.117+deb13-amd64")).toContain("no file can be mapped shared for writing");
  expect(limitOf("7.2.13", "loose")).toBeUndefined();
});
