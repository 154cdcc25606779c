/** Debian's own kernel: found with apt, downloaded and unpacked into a cache, never installed. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RunvError } from "../base/error";
import { run } from "./run";

export interface DistributionKernel {
  /** What it is, for people: `linux-image-6.1.0-56-amd64 6.1.192-2`. */
  name: string;
  kernel: string;
  modules: string;
  downloaded: boolean;
}

type Progress = (line: string) => void;

const metaPackages: Readonly<Record<string, string>> = { x64: "linux-image-amd64", arm64: "linux-image-arm64" };
const noApt = "this takes Debian's kernel with apt; elsewhere, give any kernel: --kernel FILE --modules DIR";

/** Parts of a kernel package that no guest can use, and that are most of it. */
const unused = ["boot/System.map-*", "usr", "lib/modules/*/kernel/sound"].concat(
  ["gpu", "media", "infiniband", "staging", "usb", "iio", "hwmon", "scsi", "net/ethernet", "net/wireless"].map(
    (path) => `lib/modules/*/kernel/drivers/${path}`,
  ),
);

/** The kernel that this release of Debian would install, from the cache or downloaded into it. */
export async function debianKernel(cache: string, progress: Progress): Promise<DistributionKernel> {
  const { name, version } = await resolvePackage();
  const unpacked = join(cache, `${name}_${version.replaceAll(":", "%3a")}`);
  const downloaded = !existsSync(unpacked);
  if (downloaded) await download(`${name}=${version}`, cache, unpacked, progress);
  const kernel = readdirSync(join(unpacked, "boot")).find((file) => file.startsWith("vmlinuz-"));
  if (kernel === undefined) throw new RunvError("IMAGE_KERNEL_UNUSABLE", `package ${name} has no boot/vmlinuz-…`);
  return { name: `${name} ${version}`, kernel: join(unpacked, "boot", kernel), modules: unpacked, downloaded };
}

/** The package that the meta package stands for: its first dependency. */
async function resolvePackage(): Promise<{ name: string; version: string }> {
  const meta = metaPackages[process.arch];
  if (meta === undefined) throw new RunvError("IMAGE_DOWNLOAD", `no Debian kernel is known for ${process.arch}`);
  const depends = fieldOf(await show(meta), "Depends");
  const name = depends === undefined ? undefined : dependencyIn(depends);
  const version = name === undefined ? undefined : fieldOf(await show(name), "Version");
  if (name !== undefined && version !== undefined) return { name, version };
  throw new RunvError("IMAGE_DOWNLOAD", `apt knows no package ${meta}`, { hint: "run apt-get update, and try again" });
}

/** The package in a Depends field: `linux-image-6.1.0-56-amd64 (= 6.1.192-2), …`. */
export function dependencyIn(depends: string): string | undefined {
  return /(?:^|[\s,|])(linux-image-\d[\w.+-]*)/.exec(depends)?.[1];
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

async function download(wanted: string, cache: string, unpacked: string, progress: Progress): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, ".download-"));
  try {
    progress(`downloading ${wanted.replace("=", " ")}`);
    // As root apt would download as the user _apt, who may not write here.
    await run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", wanted], { cwd: work, install: noApt });
    const archive = readdirSync(work).find((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new RunvError("IMAGE_DOWNLOAD", `apt-get downloaded no package for ${wanted}`);
    progress("unpacking it");
    const tree = join(work, "tree");
    mkdirSync(tree);
    const exclude = unused.map((path) => `--exclude=./${path}`);
    await unpack(join(work, archive), tree, exclude);
    rmSync(unpacked, { recursive: true, force: true });
    renameSync(tree, unpacked);
  } catch (error) {
    if (!(error instanceof RunvError) || error.code !== "IMAGE_TOOL_FAILED") throw error;
    const hint = "run apt-get update if its lists are old; or give a kernel: --kernel FILE --modules DIR";
    throw new RunvError("IMAGE_DOWNLOAD", `download ${wanted}: ${error.message}`, { cause: error, hint });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function unpack(archive: string, tree: string, exclude: readonly string[]): Promise<void> {
  const script = 'set -o pipefail; archive=$1; shift; dpkg-deb --fsys-tarfile "$archive" | tar -x "$@"';
  await run(["bash", "-c", script, "unpack", archive, "-C", tree, "--no-same-owner", ...exclude]);
}
