/** Which of Debian's packages the kernel is in, as apt's lists say. */
import { RunvError } from "../base/error";
import { run } from "./run";

export interface DebianPackage {
  name: string;
  version: string;
}

/** A kernel, and all packages that it is made of, that which names it first. */
export interface DebianKernelPackages {
  release: string;
  packages: [DebianPackage, ...DebianPackage[]];
}

/** The text of a package's control fields; empty when there is no such package. */
export type ShowPackage = (name: string) => Promise<string>;

const metaPackages: Readonly<Record<string, string>> = { x64: "linux-image-amd64", arm64: "linux-image-arm64" };
export const noApt = "this takes Debian's kernel with apt; elsewhere, give any kernel: --kernel FILE --modules DIR";
const image = "linux-image-";

/**
 * The kernel that this release of Debian would install. To Debian 13 it is one package; since then linux-image-R is an empty one that depends
 * on those of the kernel, the modules and what goes with both: all packages that are named by the same release are taken.
 * @throws RunvError IMAGE_DOWNLOAD, IMAGE_TOOL_MISSING
 */
export async function findKernelPackages(showPackage: ShowPackage = show): Promise<DebianKernelPackages> {
  const meta = metaPackages[process.arch];
  if (meta === undefined) throw new RunvError("IMAGE_DOWNLOAD", `no Debian kernel is known for ${process.arch}`);
  const name = dependencyIn(fieldOf(await showPackage(meta), "Depends") ?? "");
  if (name === undefined) throw unknown(meta);
  const release = name.slice(image.length);
  const found = new Map<string, string>();
  for (const wanted = [name]; wanted.length > 0; ) {
    const next = wanted.shift()!;
    if (found.has(next)) continue;
    const control = await showPackage(next);
    const version = fieldOf(control, "Version");
    if (version === undefined) throw unknown(next);
    found.set(next, version);
    wanted.push(...partsIn(fieldOf(control, "Depends") ?? "", release));
  }
  const packages = [...found].map(([name, version]) => ({ name, version }));
  return { release, packages: packages as [DebianPackage, ...DebianPackage[]] };
}

/** The kernel's package in a Depends field: `linux-image-6.1.0-56-amd64 (= 6.1.192-2), …`. */
export function dependencyIn(depends: string): string | undefined {
  return /(?:^|[\s,|])(linux-image-\d[\w.+-]*)/.exec(depends)?.[1];
}

/** The packages in a Depends field that are parts of the kernel of this release. */
export function partsIn(depends: string, release: string): string[] {
  const names = depends.split(/[,|]/).map((entry) => entry.trim().split(/[\s(:]/)[0]!);
  return names.filter((name) => name.startsWith("linux-") && name.endsWith(`-${release}`));
}

/** A field of a control file. */
export function fieldOf(control: string, field: string): string | undefined {
  const line = control.split("\n").find((candidate) => candidate.startsWith(`${field}: `));
  return line?.slice(field.length + 2).trim();
}

async function show(name: string): Promise<string> {
  try {
    const command = ["apt-cache", "show", "--no-all-versions", name];
    return Buffer.from(await run(command, { install: noApt })).toString("utf8");
  } catch (error) {
    if (error instanceof RunvError && error.code === "IMAGE_TOOL_FAILED") return "";
    throw error;
  }
}

function unknown(name: string): RunvError {
  return new RunvError("IMAGE_DOWNLOAD", `apt knows no package ${name}`, {
    hint: "run apt-get update, and try again; or give a kernel: --kernel FILE --modules DIR",
  });
}
