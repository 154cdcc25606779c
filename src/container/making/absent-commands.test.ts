import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "../../oci/config";
import { formatDefaultConfig } from "../../oci/spec";
import { absentCommands } from "./absent-commands";

/** What is found absent of `tool` in a root file system that has it in /bin, and in /usr/bin nothing. */
function absentWith(
  changes: { path?: string; args?: string[]; mounts?: object[]; hooks?: object },
  prepare = (_: string) => {},
): string[] {
  const rootfs = mkdtempSync(join(tmpdir(), "absent-"));
  try {
    for (const directory of ["bin", "usr/bin"]) mkdirSync(join(rootfs, directory), { recursive: true });
    writeFileSync(join(rootfs, "bin/tool"), "");
    prepare(rootfs);
    const json = JSON.parse(formatDefaultConfig());
    const { path = "/usr/local/bin:/usr/bin:/bin", args = ["tool"], mounts = [], hooks = {} } = changes;
    json.process = { ...json.process, args, env: [`PATH=${path}`] };
    json.mounts.push(...mounts);
    json.hooks = hooks;
    return [...absentCommands({ bundle: "/", rootfs, config: readConfig(json) })];
  } finally {
    rmSync(rootfs, { recursive: true });
  }
}

const volume = (destination: string) => ({ destination, type: "bind", source: "/", options: ["rbind"] });

test("a command is not looked for where the root file system has none", () => {
  expect(absentWith({})).toEqual(["/usr/local/bin/tool", "/usr/bin/tool"]);
  expect(absentWith({ path: "/usr/bin::sbin:/bin" })).toEqual(["/usr/bin/tool"]);
});

test("a command that is nowhere is looked for everywhere", () => {
  expect(absentWith({ args: ["missing"] })).toEqual([]);
  expect(absentWith({ args: ["/missing"] })).toEqual([]);
});

test("a command is looked for where something is mounted", () => {
  expect(absentWith({ mounts: [volume("/usr/local")] })).toEqual(["/usr/bin/tool"]);
  expect(absentWith({ mounts: [volume("/usr/bin/../bin/tool")] })).toEqual(["/usr/local/bin/tool"]);
});

test("a command is looked for where symbolic links lead to", () => {
  const link = (rootfs: string) => symlinkSync("/data", join(rootfs, "usr/local"));
  expect(absentWith({}, link)).toEqual(["/usr/bin/tool"]);
  expect(absentWith({ mounts: [volume("/usr/local/x")] }, link)).toEqual([]);
  expect(absentWith({ mounts: [volume("/data"), volume("/data/link/bin")] })).toEqual([]);
});

test("a command is looked for everywhere where hooks may have put it", () => {
  for (const name of ["prestart", "createRuntime", "createContainer"]) {
    expect(absentWith({ hooks: { [name]: [{ path: "/bin/true" }] } })).toEqual([]);
  }
  expect(absentWith({ hooks: { poststop: [{ path: "/bin/true" }] } })).toHaveLength(2);
});
