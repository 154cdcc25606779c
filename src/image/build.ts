/** Makes a kernel and an initrd that runv's VMs start from. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { RunvError } from "../base/error";
import { fileProblem } from "../base/file-problem";
import { type Architecture, architecture } from "../linux/syscalls";
import { isArm64Kernel, prepareArm64 } from "./arm64-image";
import { extractVmlinux, isBzImage } from "./bzimage";
import { debianKernel } from "./debian";
import { hostKernel } from "./host";
import { writeInitrd } from "./initrd";
import type { KernelFiles } from "./kernel-files";
import { type ImageManifest, type ImageModules, manifestFormat, protocolVersion } from "./manifest";
import { readModuleInfo } from "./module-info";
import { bootModules, extraModules, requiredModules, vsockModule } from "./module-names";
import { type Picked, pickModules, pickOnDemand } from "./module-pick";
import { type ModuleTree, noModules, readBuiltin, readModule, readModuleTree } from "./module-tree";
import { trimModule } from "./module-trim";
import { type TreeSource, writeModulesDirectory } from "./modules-directory";
import { isOnDemand, onDemandGroups } from "./on-demand-modules";
import { optionsLackingIn } from "./options";
import { modulesDirectory, packedKernel } from "./paths";
import { sha256 } from "./sha256";
import { prepareVmlinux } from "./vmlinux";
import { writeTogether } from "./write-file";

export interface ImageOptions {
  /** A kernel of one's own; Debian's if undefined. */
  kernel?: string | undefined;
  /** The kernel that this host runs. */
  host?: boolean;
  /** That of the kernel and of init; this machine's unless told. */
  architecture?: Architecture;
  /** Its modules; a kernel of one's own without them has everything built in. */
  modules?: string | undefined;
  /** Where a distribution's kernel is kept. */
  cache: string;
  /** The init program for the guest. */
  init: Uint8Array;
  /** Where to write the results. */
  output: { kernel: string; initrd: string };
  progress(line: string): void;
}

export interface BuiltImage {
  manifest: ImageManifest;
  /** Where the kernel came from. */
  source: string;
  kernelSize: number;
  initrdSize: number;
}

export async function buildImage({
  kernel,
  modules,
  host,
  architecture: guests = architecture,
  cache,
  init,
  output,
  progress,
}: ImageOptions): Promise<BuiltImage> {
  const own = kernel === undefined ? undefined : { name: kernel, kernel, modules: modules ?? "" };
  const origin: KernelFiles & { name: string; config?: string } =
    own ?? (host ? hostKernel() : await debianKernel(cache, progress, guests));
  progress(`taking the kernel of ${origin.name}`);
  const original = read(origin.kernel);
  const vmlinux = (await isArm64Kernel(original, origin.kernel))
    ? await prepareArm64(original, origin.kernel)
    : prepareVmlinux(await extractVmlinux(original, origin.kernel), origin.kernel);
  if (vmlinux.arch !== guests) throw otherArchitecture(origin.kernel, vmlinux.arch, guests);
  const tree =
    origin.modules === "" ? builtinTree(origin.kernel) : readModuleTree(origin.modules, vmlinux.release, origin.config);
  progress(`choosing modules of ${vmlinux.release}`);
  const source = readTree(tree);
  const chosen = await chooseModules(tree, source, vmlinux.release);
  const manifest: ImageManifest = {
    format: manifestFormat,
    protocol: protocolVersion,
    arch: vmlinux.arch,
    kernelRelease: vmlinux.release,
    source: origin.name,
    initSha256: sha256(init),
    kernelSha256: sha256(vmlinux.bytes),
    modules: chosen.listed,
    ...(tree.config === undefined ? {} : { optionsLacking: optionsLackingIn(tree.config) }),
  };
  const initrd = writeInitrd({ manifest, init, modules: chosen.files, vsock: chosen.vsock });
  const packed = packedKernel(output.kernel);
  const files = new Map([
    [output.kernel, vmlinux.bytes],
    [output.initrd, initrd],
  ]);
  if (isBzImage(original)) files.set(packed, original);
  const directory = modulesDirectory(output.initrd, vmlinux.release);
  await writeTogether(files, () => writeModulesDirectory(directory, chosen.onDemand, source));
  if (!files.has(packed)) rmSync(packed, { force: true });
  return { manifest, source: origin.name, kernelSize: vmlinux.bytes.length, initrdSize: initrd.length };
}

function otherArchitecture(kernel: string, is: string, wanted: Architecture): RunvError {
  return new RunvError("IMAGE_KERNEL_UNUSABLE", `${kernel} is a kernel for ${is}, not for ${wanted}`, {
    hint: "--arch says for which machines an image is",
  });
}

interface ChosenModules {
  listed: ImageModules;
  files: Map<string, Uint8Array>;
  /** Paths of what a channel by vsock takes, in the order of loading. */
  vsock: string[];
  /** What the kernel may ask for, and what is to be loaded then. */
  onDemand: Map<string, string[]>;
}

/** A tree as modules are chosen from it, each read once. */
function readTree(tree: ModuleTree): TreeSource {
  const loaded = new Map<string, Promise<Uint8Array>>();
  const load = (name: string) => {
    const file = tree.files.get(name)!;
    const module = loaded.get(name) ?? readModule(file);
    loaded.set(name, module);
    return module;
  };
  return {
    has: (name) => tree.files.has(name),
    isBuiltin: (name) => tree.builtin.has(name),
    info: async (name) => readModuleInfo(await load(name), tree.files.get(name)!),
    trimmed: async (name) => trimModule(await load(name), name),
  };
}

async function chooseModules(tree: ModuleTree, source: TreeSource, release: string): Promise<ChosenModules> {
  const picked = await pickModules(source, { boot: bootModules, extra: extraModules, required: requiredModules });
  const pathOf = (name: string) => `/lib/modules/${release}/${name}.ko`;
  const files = new Map<string, Uint8Array>();
  for (const name of [...picked.boot, ...picked.extra.keys()]) {
    files.set(pathOf(name), await source.trimmed(name));
  }
  const vsock = picked.extra.has(vsockModule) ? [...picked.extra.get(vsockModule)!, vsockModule].map(pathOf) : [];
  const onDemand = await pickOnDemand(source, [...tree.files.keys()].filter(isOnDemand));
  const listed = { ...list(picked, tree, pathOf), onDemand: [...onDemand.keys()] };
  return { listed, files, vsock, onDemand };
}

function list(picked: Picked, tree: ModuleTree, pathOf: (name: string) => string): ImageModules {
  const extra = [...picked.extra].map(([name, depends]) => [name, { path: pathOf(name), depends }] as const);
  return {
    boot: picked.boot.map(pathOf),
    extra: Object.fromEntries(extra),
    builtin: knownModules.filter((name) => tree.builtin.has(name)).sort(),
  };
}

/** All that somebody would miss. */
const knownModules = [...new Set([...bootModules, ...extraModules, ...onDemandGroups.flatMap(({ names }) => names)])];

/** A kernel that came without modules: what it has built in is said by a `modules.builtin` beside it, or taken on trust. */
function builtinTree(kernel: string): ModuleTree {
  const beside = join(dirname(kernel), "modules.builtin");
  return noModules(existsSync(beside) ? readBuiltin(beside) : knownModules);
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new RunvError("IMAGE_NOT_FOUND", `read the kernel ${path}: ${fileProblem(error)}`, { cause: error });
  }
}
