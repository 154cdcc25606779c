/** What a container without a virtual machine does not have is refused by its name, and leaves nothing. */
import { expect } from "bun:test";
import { join } from "node:path";
import { hasAppArmor } from "../../src/linux/apparmor";
import type { Config } from "../support/bundle";
import { hostTest } from "../support/rig";

type Field = [field: string, change: (config: Config) => void];

const withoutAppArmor: Field[] = [
  ["process.apparmorProfile", ({ process }) => Object.assign(process, { apparmorProfile: "docker-default" })],
];

const fields: Field[] = [
  ...(hasAppArmor() ? [] : withoutAppArmor),
  ["process.selinuxLabel", ({ process }) => Object.assign(process, { selinuxLabel: "a:b:c:d" })],
  ["linux.mountLabel", ({ linux }) => Object.assign(linux, { mountLabel: "a:b:c:d" })],
  ["linux.intelRdt", ({ linux }) => Object.assign(linux, { intelRdt: { closID: "x" } })],
  [
    "linux.seccomp.defaultAction",
    ({ linux }) => Object.assign(linux, { seccomp: { defaultAction: "SCMP_ACT_NOTIFY" } }),
  ],
  ["linux.namespaces", ({ linux }) => linux.namespaces.splice(0, 9, { type: "pid" })],
];

hostTest("fields", async (rig) => {
  for (const [field, change] of fields) {
    const bundle = await rig.bundle({
      change: (config) => {
        change(config);
        if (field === "linux.namespaces") Object.assign(config.linux, { maskedPaths: [], readonlyPaths: [] });
        if (field === "linux.namespaces") delete config.hostname;
      },
    });
    const { code, stderr } = await rig.runv(["create", "-b", bundle, rig.id("no")]);
    expect([field, code, stderr]).toEqual([field, 1, expect.stringContaining(`${field}: `)]);
    expect(stderr).toContain("code=CONFIG_UNSUPPORTED");
  }
});

hostTest("flags that are about a machine", async (rig) => {
  const bundle = await rig.bundle();
  for (const flags of [
    ["--kernel", "/x"],
    ["--no-template"],
    ["--pool", "/x"],
    ["--share", "9p"],
    ["--default_memory", "64"],
  ]) {
    const { code, stderr } = await rig.runv([...flags, "create", "-b", bundle, rig.id("no")]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${flags[0]} is about a virtual machine`)]);
  }
});

hostTest("commands that are about a machine", async (rig) => {
  const { runv, id } = rig;
  const bundle = await rig.bundle({ args: ["sleep", "1000"] });
  await runv(["run", "-d", "-b", bundle, id("one")]);
  for (const args of [["console"], ["interface", "ls"], ["checkpoint", "--image-path", join(rig.directory, "image")]]) {
    const { code, stderr } = await runv([...args, id("one")]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("has no virtual machine")]);
  }
  expect((await runv(["branch", id("one"), id("two")])).stderr).toContain("has no virtual machine");
  expect((await runv(["exec", "--apparmor", "x", id("one"), "true"])).stderr).toMatch(/apparmor/i);
  expect((await runv(["template", "build"])).stderr).toContain("the driver host starts no virtual machine");
  await runv(["delete", "--force", id("one")]);
});
