import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageSettings } from "./settings";

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
