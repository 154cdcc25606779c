import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GlobalOptions } from "../base/settings";
import { architectureWords } from "../linux/syscalls";
import { imageSettings, settings } from "./settings";

const checkout = mkdtempSync(join(tmpdir(), "runv-settings-"));
afterAll(() => rmSync(checkout, { recursive: true }));
const executable = join(checkout, "runv");
const none = { kernel: undefined, initrd: undefined };
const usual = { kernel: "/var/lib/hyper/kernel", initrd: "/var/lib/hyper/hyper-initrd.img" };

test("the image: the flags', else config.toml's, else beside the executable, else the usual place", () => {
  const nothing = {};
  expect(imageSettings(none, nothing, undefined, executable)).toEqual({ ...usual, imageFrom: "the usual place" });
  mkdirSync(join(checkout, "image"));
  writeFileSync(join(checkout, "image/kernel"), "");
  // Half an image is none.
  expect(imageSettings(none, nothing, undefined, executable)).toEqual({ ...usual, imageFrom: "the usual place" });
  writeFileSync(join(checkout, "image/hyper-initrd.img"), "");
  expect(imageSettings(none, nothing, undefined, executable)).toEqual({
    kernel: join(checkout, "image/kernel"),
    initrd: join(checkout, "image/hyper-initrd.img"),
    imageFrom: "beside the executable",
  });
  const configured = { ...nothing, kernel: "/k", initrd: "/i" };
  expect(imageSettings(none, configured, undefined, executable)).toEqual({
    kernel: "/k",
    initrd: "/i",
    imageFrom: "config.toml",
  });
  expect(imageSettings({ kernel: "/K", initrd: undefined }, configured, undefined, executable)).toEqual({
    kernel: "/K",
    initrd: "/i",
    imageFrom: "the command line",
  });
  expect(imageSettings({ kernel: "/K", initrd: undefined }, nothing, undefined, executable).initrd).toBe(usual.initrd);
});

test("who says this machine's own architecture means the same as who says none; another has its own image", () => {
  const names = ["arm64", "amd64"] as const;
  const [own, other] = (process.arch === "arm64" ? names : names.toReversed()) as [string, string];
  const of = (arch?: string) => {
    const global = { ...none, driverOptions: arch === undefined ? {} : { arch } } as unknown as GlobalOptions;
    return settings(global, { driverOptions: { qemu: "/q" } });
  };
  expect(of(own)).toEqual(of());
  expect(of().driverOptions).toEqual({ qemu: "/q" });
  const foreign = of(other);
  expect(foreign.architecture).toBe(architectureWords[other]!);
  expect(foreign.driverOptions).toEqual({ qemu: "/q", arch: architectureWords[other]! });
  expect(foreign.kernel).toEndWith(`/${other}/kernel`);
});

test("a share that is chosen by the guest's kernel is chosen here", () => {
  const of = (global: Record<string, string>, config: Record<string, string>) =>
    settings({ kernel: "/none", initrd: "/none", driverOptions: global } as unknown as GlobalOptions, {
      driverOptions: config,
    }).driverOptions;
  expect(of({}, { share: "auto" })).toEqual({ usualShare: "9p" });
  expect(of({ share: "fuse" }, { share: "auto" })).toEqual({ share: "fuse" });
  expect(of({ share: "auto" }, { share: "fuse" })).toEqual({ usualShare: "9p" });
  expect(of({}, {})).toEqual({});
});
