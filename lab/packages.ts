/** Debian packages that are not installed, in a directory of the cache: a second root, to be laid over this host's. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { Apt } from "../src/image/apt";
import { defaultCache } from "../src/image/paths";
import { run } from "../src/image/run";
import { sha256 } from "../src/image/sha256";

/** Links on a host of today, which packages of yesterday write through. */
const links = ["bin", "lib", "lib64", "sbin"];

/**
 * Gets packages and what they depend on, but for what is installed. Nothing of them is configured or started.
 * @returns the directory
 */
export async function unpackPackages(names: readonly string[], progress: (line: string) => void): Promise<string> {
  // As root apt would download as the user _apt, who may not write here.
  return await unpack(names, ["-o", "APT::Sandbox::User=root"], progress, (tree) => {
    // The host has them, and they would cover its own.
    for (const name of links) unlinkSync(join(tree, name));
  });
}

/**
 * A whole system that is unpacked and not configured: packages of another architecture, what they depend on, and those without which there is
 * no system (Essential, deb-src-control(5)).
 * @returns the directory
 */
export async function unpackSystem(
  names: readonly string[],
  { options }: Apt,
  progress: (line: string) => void,
): Promise<string> {
  return await unpack(["?essential", ...names], options, progress, () => {});
}

/** Only what is whole has its name, which is that of the packages and their versions. @param finish what is left to do with the directory */
async function unpack(
  names: readonly string[],
  options: readonly string[],
  progress: (line: string) => void,
  finish: (tree: string) => void,
): Promise<string> {
  const simulation = await text("apt-get", ...options, "install", "--simulate", "--no-install-recommends", ...names);
  const missing = missingPackages(simulation);
  const root = join(defaultCache, "lab", sha256(Buffer.from(missing.join(" "))).slice(0, 16));
  if (existsSync(root)) return root;
  mkdirSync(join(defaultCache, "lab"), { recursive: true });
  const work = mkdtempSync(`${root}.new-`);
  try {
    progress(`downloading ${missing.length} packages for ${names.join(", ")}`);
    await run(["apt-get", ...options, "download", "-q", ...missing], { cwd: work });
    const tree = join(work, "tree");
    mkdirSync(tree);
    for (const name of links) {
      mkdirSync(join(tree, "usr", name), { recursive: true });
      symlinkSync(`usr/${name}`, join(tree, name));
    }
    for (const archive of readdirSync(work).filter((file) => file.endsWith(".deb"))) {
      const script = 'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink';
      await run(["bash", "-c", script, "unpack", join(work, archive), tree]);
    }
    finish(tree);
    renameSync(tree, root);
    return root;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What `apt-get install --simulate` would install, as NAME=VERSION; what it would only bring up to date is left as it is. */
function missingPackages(simulation: string): string[] {
  return [...simulation.matchAll(/^Inst (\S+) \((\S+)/gm)].map(([, name, version]) => `${name}=${version}`).sort();
}

async function text(...command: string[]): Promise<string> {
  return Buffer.from(await run(command)).toString();
}
