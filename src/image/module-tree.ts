/** The modules of a kernel as they lie on disk: `/lib/modules/RELEASE`. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RunvError } from "../base/error";
import { decompress } from "./compression";
import { moduleName } from "./module-info";
import { unlistedBuiltin } from "./module-names";
import { readConfig } from "./options";

export interface ModuleTree {
  /** Files by module name. */
  files: ReadonlyMap<string, string>;
  builtin: ReadonlySet<string>;
  /** The kernel's configuration, where it is known. */
  config?: string | undefined;
}

/** The tree of a kernel that is whole without modules. */
export const noModules = (builtin: Iterable<string>): ModuleTree => ({ files: new Map(), builtin: new Set(builtin) });

/**
 * Reads the tree of one release. `path` is that directory itself, or one above it, like `/lib/modules` or a root.
 * @param running where the kernel that runs here shows its configuration, if it is that one's tree
 */
export function readModuleTree(path: string, release: string, running?: string): ModuleTree {
  const candidates = [path, join(path, release), join(path, "lib/modules", release)];
  const tree = candidates.find((candidate) => existsSync(join(candidate, "modules.builtin")));
  if (tree === undefined) {
    throw new RunvError("IMAGE_MODULES_MISSING", `${path} holds no modules of kernel ${release}`, {
      hint: `--modules takes the directory that has modules.builtin in it, such as /lib/modules/${release}`,
    });
  }
  const found = readdirSync(tree, { recursive: true, encoding: "utf8" }).filter((file) => /\.ko(\.\w+)?$/.test(file));
  const files = found.sort().map((file): [string, string] => [moduleName(file), join(tree, file)]);
  const config = readConfig(tree, release, running);
  const builtin = [...readBuiltin(join(tree, "modules.builtin")), ...unlistedIn(config)];
  return { files: new Map(files), builtin: new Set(builtin), config };
}

/** What is built in by the kernel's configuration, though it was never a module. */
function unlistedIn(config = ""): string[] {
  const lines = config.split("\n");
  return Object.entries(unlistedBuiltin).flatMap(([name, option]) =>
    lines.includes(`CONFIG_${option}=y`) ? [name] : [],
  );
}

/** Names in a `modules.builtin`, which lists one path a line. */
export function readBuiltin(file: string): Set<string> {
  return new Set(readFileSync(file, "utf8").split("\n").filter(Boolean).map(moduleName));
}

/** The module itself, decompressed. */
export async function readModule(file: string): Promise<Uint8Array> {
  return decompress(readFileSync(file), file);
}
