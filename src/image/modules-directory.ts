/**
 * The modules that a guest's kernel may ask for, as a directory of the host: `NAME.ko`, and `aliases`, of which each line has a name by which the
 * kernel asks and the modules to load for it, in order. guest/modprobe.c reads it.
 */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { RunvError } from "../base/error";
import type { ModuleSource } from "./module-pick";

/** Modules to choose from, with their content. */
export interface TreeSource extends ModuleSource {
  /** The module without what the guest does not need. */
  trimmed(name: string): Promise<Uint8Array>;
}

/**
 * Writes the directory anew, by rename, and removes those of other kernels beside it. Machines that run keep what they have.
 * @param picked by module, those to load for it; there is no directory for none
 * @throws RunvError IMAGE_UNWRITABLE
 */
export async function writeModulesDirectory(
  directory: string,
  picked: ReadonlyMap<string, readonly string[]>,
  source: TreeSource,
): Promise<void> {
  const files = new Map<string, Uint8Array>();
  for (const name of new Set([...picked.values()].flat())) files.set(`${name}.ko`, await source.trimmed(name));
  if (files.size > 0) files.set("aliases", Buffer.from(await aliasesOf(picked, source)));
  try {
    replace(directory, files);
  } catch (error) {
    throw new RunvError("IMAGE_UNWRITABLE", `write ${directory}: ${(error as Error).message}`, { cause: error });
  }
}

/** The text of `aliases`: of each module its own name and those that it says, but for those of devices, for which the kernel does not ask. */
async function aliasesOf(picked: ReadonlyMap<string, readonly string[]>, source: ModuleSource): Promise<string> {
  const lines: string[] = [];
  for (const [name, order] of picked) {
    const { aliases } = await source.info(name);
    // The kernel's names end in a star at most, and have no colon: pci:v0000…*, devname:fuse.
    const asked = [name, ...aliases].filter((alias) => /^\w[^:*?[\s]*\*?$/.test(alias));
    for (const alias of new Set(asked)) lines.push(`${alias} ${order.join(" ")}\n`);
  }
  return lines.join("");
}

function replace(directory: string, files: ReadonlyMap<string, Uint8Array>): void {
  const all = dirname(directory);
  if (files.size === 0) {
    rmSync(all, { recursive: true, force: true });
    return;
  }
  mkdirSync(all, { recursive: true });
  const made = mkdtempSync(join(all, ".new-"));
  chmodSync(made, 0o755);
  for (const [name, bytes] of files) writeFileSync(join(made, name), bytes, { mode: 0o644 });
  const old = readdirSync(all).filter((name) => name !== basename(made));
  const away = mkdtempSync(join(all, ".old-"));
  for (const name of old) renameSync(join(all, name), join(away, name));
  renameSync(made, directory);
  rmSync(away, { recursive: true, force: true });
}
