/** A bundle on disk: bundle.md. And the two parts of a config.json that commands take alone. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { RunvError } from "../base/error";
import { fileProblem } from "../base/file-problem";
import { isWithin } from "../base/is-within";
import { type Config, readConfig } from "./config";
import { parseJson } from "./json";
import { readDocument } from "./mismatch";
import { type Process, process as processReader } from "./process";
import { type Resources, resources as resourcesReader } from "./resources";
import { assertSupported } from "./unsupported";

/** A bundle that was read and found good. */
export interface Bundle {
  /** Its directory, absolute. */
  bundle: string;
  config: Config;
  /** The directory of the root file system on the host, absolute and without symbolic links. */
  rootfs: string;
}

/**
 * Reads a bundle.
 * @param directory as the user gave it
 * @param assert refuses what containers on its ground cannot have
 * @throws RunvError BUNDLE_INVALID when a file or directory is missing, CONFIG_SYNTAX when config.json is not JSON,
 *   CONFIG_INVALID when it is not a configuration, CONFIG_UNSUPPORTED when runv cannot honour it
 */
export function loadBundle(directory: string, assert = assertSupported): Bundle {
  const bundle = resolve(directory);
  requireDirectory(bundle, `bundle ${directory}`);
  const config = readConfig(parseJson(readText(join(bundle, "config.json"), "config.json"), "config.json"));
  assert(config);
  const path = resolve(bundle, config.root.path);
  requireDirectory(path, `root.path: root file system ${path}`);
  const found: Bundle = { bundle, config, rootfs: realpathSync(path) };
  // runc takes a destination that begins with the host's path of the root for one below it.
  for (const mount of config.mounts) mount.destination = pathInRoot(found, mount.destination) ?? mount.destination;
  return found;
}

/**
 * What the container calls a path of the host that, by its letters, lies in the root file system.
 * @returns an absolute path; undefined for any other, and where the root is the host's
 */
export function pathInRoot({ bundle, config, rootfs }: Bundle, path: string): string | undefined {
  const absolute = resolve(bundle, path);
  const root = [rootfs, resolve(bundle, config.root.path)].find((root) => isWithin(absolute, root));
  return root === undefined || root === "/" ? undefined : absolute.slice(root.length) || "/";
}

/**
 * Reads the process that `exec --process` is given.
 * @throws RunvError as loadBundle
 */
export function loadProcess(file: string): Process {
  return readDocument(processReader, parseJson(readText(file, file), file));
}

/**
 * Reads the resources that `update --resources` is given. In them 0 means "unchanged".
 * @param file its path; `-` is standard input
 * @throws RunvError as loadBundle
 */
export function loadResources(file: string): Resources {
  const name = file === "-" ? "standard input" : file;
  return readDocument(resourcesReader, parseJson(readText(file === "-" ? 0 : file, name), name));
}

function requireDirectory(path: string, name: string): void {
  let problem = "is not a directory";
  try {
    if (statSync(path).isDirectory()) return;
  } catch (error) {
    problem = fileProblem(error);
  }
  throw new RunvError("BUNDLE_INVALID", `${name}: ${problem}`);
}

function readText(file: string | number, name: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    // runc's words, which scripts look for
    const problem = fileProblem(error);
    const message =
      problem === "not found" || problem === "not below a directory"
        ? `JSON specification file ${name} not found`
        : `JSON specification file ${name}: ${problem}`;
    throw new RunvError("BUNDLE_INVALID", message, { cause: error });
  }
}
