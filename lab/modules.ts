/** The machine's kernel: Debian's, with all modules, from the cache that `runv image build` uses. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { debianKernel } from "../src/image/debian";
import { readModuleInfo } from "../src/image/module-info";
import { pickModules } from "../src/image/module-pick";
import { readModule, readModuleTree } from "../src/image/module-tree";
import { defaultCache } from "../src/image/paths";
import { run } from "../src/image/run";
import { type Architecture, architecture, imageNameOf } from "../src/linux/syscalls";

/** The same kernel as runv's machines have, ready to be started: `need_image` and `need_foreign_image` of scripts/lib.sh have made it. */
const kernelOf = (wanted: Architecture) =>
  join(import.meta.dir, "../dist/image", wanted === architecture ? "" : imageNameOf(wanted), "kernel");

/** What it takes to reach the host's files; the rest is loaded from there. */
const wanted = ["virtio_pci", "9p", "9pnet_virtio", "overlay"];

export interface LabKernel {
  kernel: string;
  release: string;
  /** The directory of all its modules: …/lib/modules. */
  modules: string;
}

/** Finds the kernel, and has depmod(8) list its modules once. */
export async function findKernel(
  progress: (line: string) => void,
  wanted: Architecture = architecture,
): Promise<LabKernel> {
  const { release, modules, tree } = await debianKernel(defaultCache, progress, wanted);
  if (!existsSync(join(modules, "modules.dep.bin"))) {
    progress(`listing the modules of ${release}`);
    await run(["depmod", "-b", tree, release]);
  }
  return { kernel: kernelOf(wanted), release, modules: dirname(modules) };
}

/** The modules to reach the host's files, in the order of loading. */
export async function firstModules({ modules, release }: LabKernel): Promise<{ name: string; bytes: Uint8Array }[]> {
  const tree = readModuleTree(modules, release);
  const load = (name: string) => readModule(tree.files.get(name)!);
  const source = {
    has: (name: string) => tree.files.has(name),
    isBuiltin: (name: string) => tree.builtin.has(name),
    info: async (name: string) => readModuleInfo(await load(name), name),
  };
  const { boot } = await pickModules(source, { boot: wanted, extra: [], required: wanted });
  return await Promise.all(boot.map(async (name) => ({ name, bytes: await load(name) })));
}
