import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { GlobalOptions } from "../../base/settings";
import { readConfig } from "../../oci/config";
import { parseJson } from "../../oci/json";
import { formatDefaultConfig } from "../../oci/spec";
import type { ContainerRecord } from "../record/store";
import { assertSame, forItsArchitecture } from "./architecture";

let rootfs: string;
beforeAll(() => {
  rootfs = mkdtempSync("/tmp/runv-architecture-");
  mkdirSync(`${rootfs}/bin`);
  put("bin/arm", program(183));
  put("bin/pc", program(62));
  put("bin/other", program(243));
  put("bin/script", "#! /bin/arm -x\n");
  put("bin/endless", "#!/bin/endless\n");
  put("bin/text", "echo hi\n");
  symlinkSync("/bin/arm", `${rootfs}/bin/link`);
  symlinkSync("/bin/loop", `${rootfs}/bin/loop`);
  Bun.spawnSync(["mkfifo", `${rootfs}/bin/fifo`]);
});
afterAll(() => rmSync(rootfs, { recursive: true }));

function put(path: string, content: string | Uint8Array): void {
  writeFileSync(`${rootfs}/${path}`, content);
  chmodSync(`${rootfs}/${path}`, 0o755);
}

/** The beginning of an ELF file of 64 bits for a machine. */
function program(machine: number): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  bytes[18] = machine;
  return bytes;
}

/** The architecture of a container with this command; undefined: nobody says. */
function found(command: string, { told, annotation }: { told?: string; annotation?: string } = {}) {
  const config = readConfig(parseJson(formatDefaultConfig(), "config.json"));
  config.process.args = [command];
  config.process.env = ["PATH=/nowhere:/bin"];
  if (annotation !== undefined) config.annotations["org.runv.arch"] = annotation;
  const global = { driverOptions: told === undefined ? {} : { arch: told } } as unknown as GlobalOptions;
  return forItsArchitecture(global, { bundle: rootfs, config, rootfs }).driverOptions.arch;
}

test.each([
  ["arm", "aarch64"],
  ["/bin/arm", "aarch64"],
  ["pc", "x86_64"],
  ["link", "aarch64"],
  ["script", "aarch64"],
  // Of none of these it can be told, and there is no shell either.
  ["other", undefined],
  ["endless", undefined],
  ["text", undefined],
  ["loop", undefined],
  ["fifo", undefined],
  ["missing", undefined],
])("the command %s is for %p", (command, architecture) => {
  expect(found(command)).toBe(architecture);
});

test("where there is no such command the shell tells", () => {
  put("bin/sh", program(183));
  expect([found("missing"), found("/sbin/mounted")]).toEqual(["aarch64", "aarch64"]);
  rmSync(`${rootfs}/bin/sh`);
});

test("a flag says more than an annotation, and that more than the command", () => {
  expect(found("pc", { annotation: "arm64" })).toBe("aarch64");
  expect(found("pc", { annotation: "arm64", told: "amd64" })).toBe("amd64");
  expect(() => found("pc", { annotation: "riscv64" })).toThrow('annotations["org.runv.arch"]: there is no "riscv64"');
});

test("containers of one machine are of one architecture", () => {
  const member = { id: "first", settings: { architecture: "aarch64" } } as ContainerRecord;
  assertSame("aarch64", member);
  expect(() => assertSame(undefined, member)).toThrow("cannot be in the machine of first, which is for arm64");
});
