import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readConfig } from "../../oci/config";
import { parseJson } from "../../oci/json";
import { formatDefaultConfig } from "../../oci/spec";
import { closeTrees, openTrees, type SharedTree, sourcesOf } from "./bundle-mounts";

let directory: string;
const opened: SharedTree[] = [];
beforeAll(() => {
  directory = mkdtempSync("/tmp/runv-mounts-");
  mkdirSync(`${directory}/data`);
  writeFileSync(`${directory}/file`, "");
  Bun.spawnSync(["mkfifo", `${directory}/fifo`]);
});
afterAll(() => {
  closeTrees(opened);
  rmSync(directory, { recursive: true });
});

function trees(...sources: string[]) {
  const config = readConfig(parseJson(formatDefaultConfig(), "config.json"));
  config.mounts = sources.map((source) => ({ destination: "/mnt", source, options: ["rbind"] }));
  const bundle = { bundle: directory, config, rootfs: directory };
  const all = openTrees("c1", bundle);
  opened.push(...all);
  return { bundle, all };
}

test("the root file system, and each bind mount by its index, relative to the bundle", () => {
  const { bundle, all } = trees("data", `${directory}/file`);
  expect(all.map(({ source, path, directory }) => [source, path, directory])).toEqual([
    [directory, "c1/rootfs", true],
    [`${directory}/data`, "c1/0", true],
    [`${directory}/file`, "c1/1", false],
  ]);
  // What it inherits is /tmp's: nothing, or what a tmpfs is mounted with.
  const inherited = all.at(-1)!.inherited;
  expect(sourcesOf("c1", bundle, all).get(1)).toEqual({ path: "/run/share/c1/1", directory: false, inherited });
});

test("a source that is missing, and one whose other end is a process of this kernel, are refused", () => {
  expect(() => trees("data", "nothing")).toThrow(`mounts[1].source: ${directory}/nothing: does not exist`);
  expect(() => trees("fifo")).toThrow("mounts[0].source: ");
  expect(() => trees("fifo")).toThrow("is a FIFO: its other end is not in the virtual machine");
});
