import { expect, test } from "bun:test";
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_RDONLY,
  MS_BIND,
  MS_NODEV,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_SLAVE,
} from "../linux/constants";
import { parseMountOptions } from "./mount-options";

const nothing = { flags: 0, cleared: 0, propagation: [], recursive: undefined, tmpcopyup: false, data: [] };

test("options become flags, propagation and data", () => {
  expect(parseMountOptions([])).toEqual(nothing);
  expect(parseMountOptions(["rbind", "ro", "rprivate", "slave", "mode=755", "size=64k"])).toEqual({
    ...nothing,
    flags: MS_BIND | MS_REC | MS_RDONLY,
    propagation: [MS_PRIVATE | MS_REC, MS_SLAVE],
    data: ["mode=755", "size=64k"],
  });
  expect(parseMountOptions(["tmpcopyup"])).toEqual({ ...nothing, tmpcopyup: true });
});

test("the later of two options holds", () => {
  expect(parseMountOptions(["ro", "nosuid", "rw"])).toMatchObject({ flags: MS_NOSUID, cleared: MS_RDONLY });
  expect(parseMountOptions(["dev", "nodev"])).toMatchObject({ flags: MS_NODEV, cleared: 0 });
});

test("recursive attributes", () => {
  expect(parseMountOptions(["rro", "rdev"]).recursive).toEqual({ set: MOUNT_ATTR_RDONLY, clear: MOUNT_ATTR_NODEV });
  expect(parseMountOptions(["rnoatime"]).recursive).toEqual({ set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME });
  expect(parseMountOptions(["rro", "rrw"]).recursive).toEqual({ set: 0, clear: MOUNT_ATTR_RDONLY });
});

test("names of a prototype are data", () => {
  expect(parseMountOptions(["constructor", "__proto__"]).data).toEqual(["constructor", "__proto__"]);
});
