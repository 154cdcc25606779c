/** Overlay file systems of config.json (podman's `-v DIR:/v:O` and `--mount type=image`): their layers are directories of the host, so the host makes them. */
import { closeSync } from "node:fs";
import { RunvError } from "../base/error";
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
} from "../linux/constants";
import { SystemError, syscall } from "../linux/local";

/** A value of fsconfig(2) has no more bytes. */
const longest = 255;

/**
 * Makes one that is attached nowhere.
 * @param options those of the file system: `lowerdir=/a:/b`, `userxattr`
 * @param field where they stand, for errors
 * @returns its descriptor, which can be attached once
 * @throws RunvError CONFIG_UNSUPPORTED when a value is too long; MOUNT_SOURCE
 */
export function detachedOverlay(options: readonly string[], field: string): number {
  const settings = options.map((option) => [option, ...option.split(/=(.*)/s, 2)] as const);
  for (const [, key, value = ""] of settings) {
    if (Buffer.byteLength(value) <= longest) continue;
    throw new RunvError("CONFIG_UNSUPPORTED", `${field}.options: ${key}: has more than ${longest} bytes`, {
      hint: "name fewer layers, or by shorter paths",
    });
  }
  let [doing, context] = ["make an overlay file system", -1];
  try {
    context = syscall("fsopen", "overlay", FSOPEN_CLOEXEC);
    for (const [option, key = "", value] of settings) {
      doing = option;
      if (value === undefined) syscall("fsconfig", context, FSCONFIG_SET_FLAG, key, 0, 0);
      else syscall("fsconfig", context, FSCONFIG_SET_STRING, key, value, 0);
    }
    doing = `make an overlay file system of ${options.join(",")}`;
    syscall("fsconfig", context, FSCONFIG_CMD_CREATE, 0, 0, 0);
    return syscall("fsmount", context, FSMOUNT_CLOEXEC, 0);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new RunvError("MOUNT_SOURCE", `${field}: ${doing}: ${error.message}`, { cause: error });
  } finally {
    if (context >= 0) closeSync(context);
  }
}
