import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { GlobalOptions } from "../base/settings";
import { codec } from "./messages";
import { readOptions, withCgroups } from "./options";

const directory = mkdtempSync("/tmp/runv-options-");
afterAll(() => rmSync(directory, { recursive: true }));

const general = (options: Parameters<ReturnType<typeof codec<"RuntimeOptions">>["encode"]>[0]) => ({
  type_url: "runtimeoptions.v1.Options",
  value: codec("RuntimeOptions").encode(options),
});

test("options of runc, of any runtime, and of nobody", () => {
  const none = { systemdCgroup: false, configFile: undefined };
  expect(readOptions(null, directory)).toEqual(none);
  const value = codec("RuncOptions").encode({ binary_name: "x", systemd_cgroup: true });
  expect(readOptions({ type_url: "containerd.runc.v1.Options", value }, directory)).toMatchObject({
    systemdCgroup: true,
  });
  expect(readOptions(general({}), directory)).toEqual(none);
  expect(readOptions(general({ config_path: "/etc/x.toml" }), directory).configFile).toBe("/etc/x.toml");
  const { configFile } = readOptions(general({ config_body: Buffer.from("default_cpus = 2\n") }), directory);
  expect(readFileSync(configFile!, "utf8")).toBe("default_cpus = 2\n");
  expect(() => readOptions({ type_url: "some.Other", value }, directory)).toThrow("options of the kind some.Other");
});

test.each([
  ["/default/a", false],
  ["kubepods-pod1.slice:cri-containerd:0a", true],
  ["system.slice::x", true],
  ["a:b", false],
  ["", false],
])("the cgroup %p is systemd's: %p", (path, systemd) => {
  const global = { systemdCgroup: false } as GlobalOptions;
  expect(withCgroups(global, { systemdCgroup: false, configFile: undefined }, path).systemdCgroup).toBe(systemd);
});
