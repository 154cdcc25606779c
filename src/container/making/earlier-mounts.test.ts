import { expect, test } from "bun:test";
import { readConfig } from "../../oci/config";
import { parseJson } from "../../oci/json";
import { formatDefaultConfig } from "../../oci/spec";
import { sourceInRoot } from "./earlier-mounts";

/** The source of the last of these mounts, each its destination, its source and its options. */
function last(...mounts: [destination: string, source: string, ...options: string[]][]) {
  const config = readConfig(parseJson(formatDefaultConfig(), "config.json"));
  config.mounts = mounts.map(([destination, source, ...options]) => ({ destination, source, options }));
  config.root.path = "rootfs";
  return sourceInRoot({ bundle: "/b", config, rootfs: "/real/rootfs" }, mounts.length - 1)?.path;
}

test("what an earlier mount has made is in the root, by either name of the root", () => {
  for (const root of ["/b/rootfs", "rootfs", "/real/rootfs"]) {
    expect(last(["/a", "/x", "bind"], ["/c", `${root}/a`, "bind"])).toBe("/a");
    expect(last(["/a/", "/x", "bind"], ["/c", `${root}/./a/b/`, "bind"])).toBe("/a/b");
    expect(last(["/a/b", "/x", "bind"], ["/c", `${root}/a`, "rbind"])).toBe("/a");
    expect(last(["/a", "/x", "bind"], ["/c", root, "rbind"])).toBe("/");
  }
});

test("all else is the host's", () => {
  expect(last(["/c", "/b/rootfs/a", "bind"], ["/a", "/x", "bind"])).toBeUndefined();
  expect(last(["/c", "/b/rootfs/c", "bind"])).toBeUndefined();
  expect(last(["/a/b", "/x", "bind"], ["/c", "/b/rootfs/a", "bind"])).toBeUndefined();
  expect(last(["/a", "/x", "bind"], ["/c", "/b/rootfs/ab", "rbind"])).toBeUndefined();
  expect(last(["/a", "/x", "bind"], ["/c", "/b/rootfs2/a", "rbind"])).toBeUndefined();
  expect(last(["/a", "/x", "bind"], ["/c", "/a", "rbind"])).toBeUndefined();
});

test("its ids cannot be mapped", () => {
  expect(() => last(["/a", "/x", "bind"], ["/c", "/b/rootfs/a", "bind", "idmap"])).toThrow(
    "mounts[1]: /b/rootfs/a is what earlier mounts make in the container: its ids cannot be mapped",
  );
});
