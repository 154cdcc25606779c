import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { readConfig } from "./config";
import { formatDefaultConfig } from "./spec";

/** What runc 1.1.5 writes, with our name and version of the specification. */
function runcWrites(file: string): string {
  const text = readFileSync(new URL(`../../tests/spec/${file}`, import.meta.url), "utf8");
  return (
    text
      .replace('"1.0.2-dev"', '"1.3.0"')
      .replace('"hostname": "runc"', '"hostname": "runv"')
      // From 1.2 on runc leaves it out: what is not inheritable cannot be ambient.
      .replace(/,\s*"ambient": \[[^\]]*\]/, "")
  );
}

test("spec writes what runc writes, byte for byte", () => {
  expect(formatDefaultConfig()).toBe(runcWrites("runc-1.1.5.json"));
  expect(formatDefaultConfig({ rootless: { uid: 0, gid: 0 } })).toBe(runcWrites("runc-1.1.5-rootless.json"));
});

test("a host with cgroup v2 alone gets the cgroup namespace, as from runc", () => {
  const types = (options: object) =>
    JSON.parse(formatDefaultConfig(options)).linux.namespaces.map(({ type }: { type: string }) => type);
  expect(types({ cgroup2: true })).toEqual(["pid", "network", "ipc", "uts", "mount", "cgroup"]);
  expect(types({ cgroup2: true, rootless: { uid: 5, gid: 6 } })).toEqual([
    "pid",
    "ipc",
    "uts",
    "mount",
    "cgroup",
    "user",
  ]);
});

test("what spec writes is accepted", () => {
  for (const rootless of [undefined, { uid: 1000, gid: 100 }]) {
    const config = readConfig(JSON.parse(formatDefaultConfig(rootless && { rootless })));
    expect(config.linux.uidMappings?.[0]?.hostID).toBe(rootless?.uid);
    expect(config.linux.gidMappings?.[0]?.hostID).toBe(rootless?.gid);
  }
});
