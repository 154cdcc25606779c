import { afterAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeInitrd } from "../image/initrd";
import { type ImageManifest, protocolVersion } from "../image/manifest";
import { bootModules, extraModules } from "../image/module-names";
import { onDemandGroups } from "../image/on-demand-modules";
import { checkImage } from "./check-image";
import type { Finding } from "./driver";

const scratch = mkdtempSync(join(tmpdir(), "runv-check-image-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const [kernel, initrd] = [join(scratch, "kernel"), join(scratch, "initrd")];
writeFileSync(kernel, "kernel");

const all = [...bootModules, ...extraModules, ...onDemandGroups.flatMap(({ names }) => names)];

/** What is said of an image whose kernel has all built in but these modules, and lacks these options. */
function findings(without: readonly string[], optionsLacking: string[]) {
  const manifest: ImageManifest = {
    format: 1,
    protocol: protocolVersion,
    arch: process.arch === "arm64" ? "aarch64" : "x86_64",
    kernelRelease: "9.9.0-test",
    source: "this host, 9.9.0-test",
    initSha256: "11",
    kernelSha256: createHash("sha256").update("kernel").digest("hex"),
    modules: { boot: [], extra: {}, builtin: all.filter((name) => !without.includes(name)) },
    optionsLacking,
  };
  writeFileSync(initrd, writeInitrd({ manifest, init: Buffer.from("init"), modules: new Map(), vsock: [] }));
  return checkImage({ kernel, initrd, imageFrom: "config.toml" });
}

const named: Finding = {
  status: "ok",
  subject: "kernel",
  detail: `${kernel}: Linux 9.9.0-test of this host, 9.9.0-test, config.toml`,
};

test("the guest's kernel is named, with where it comes from and who says that it is this one", async () => {
  const found = await findings([], []);
  expect(found[0]).toEqual(named);
  expect(found.find(({ subject }) => subject === "guest kernel")).toMatchObject({ status: "ok" });
});

test("what it lacks is a warning, with what that is for", async () => {
  const found = await findings(["loop", "wireguard"], ["SECCOMP_FILTER"]);
  expect(found[0]).toEqual(named);
  expect(found.find(({ subject }) => subject === "guest kernel")).toEqual({
    status: "warning",
    subject: "guest kernel",
    detail:
      "the guest's kernel has nothing for seccomp (CONFIG_SECCOMP_FILTER), file systems on disks (loop), tunnels (wireguard)",
    fix: "runv image build, with another kernel",
  });
});
