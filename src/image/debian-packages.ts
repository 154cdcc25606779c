/** Which of Debian's packages the kernel is in, as apt's lists say. */
import { RunvError } from "../base/error";
import { type Architecture, architecture, imageNameOf } from "../linux/syscalls";
import { type Apt, noApt } from "./apt";
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

const image = "linux-image-";

/**
 * The kernel that this release of Debian would install. To Debian 13 it is one package; since then linux-image-R is an empty one that depends
 * on those of the kernel, the modules and what goes with both: all packages that are named by the same release are taken.
 * @throws RunvError IMAGE_DOWNLOAD, IMAGE_TOOL_MISSING
 */
export async function findKernelPackages(
  showPackage: ShowPackage,
  wanted: Architecture = architecture,
): Promise<DebianKernelPackages> {
  const meta = `${image}${imageNameOf(wanted)}`;
  const name = dependencyIn(fieldOf(await showPackage(meta), "Depends") ?? "");
  if (name === undefined) throw unknown(meta);
  const release = name.slice(image.length);
  const found = new Map<string, string>();
  for (const open = [name]; open.length > 0; ) {
    const next = open.shift()!;
    if (found.has(next)) continue;
    const control = await showPackage(next);
    const version = fieldOf(control, "Version");
    if (version === undefined) throw unknown(next);
    found.set(next, version);
    open.push(...partsIn(fieldOf(control, "Depends") ?? "", release));
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

/** What apt says of packages. */
export function showWith({ options }: Apt): ShowPackage {
  return async (name) => {
    try {
      const command = ["apt-cache", ...options, "show", "--no-all-versions", name];
      return Buffer.from(await run(command, { install: noApt })).toString("utf8");
    } catch (error) {
      if (error instanceof RunvError && error.code === "IMAGE_TOOL_FAILED") return "";
      throw error;
    }
  };
}

function unknown(name: string): RunvError {
  return new RunvError("IMAGE_DOWNLOAD", `apt knows no package ${name}`, {
    hint: "run apt-get update, and try again; or give a kernel: --kernel FILE --modules DIR",
  });
}
