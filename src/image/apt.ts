/** Debian's apt, asked about packages of an architecture that this system need not know: with lists of its own, in the cache. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunvError } from "../base/error";
import { type Architecture, architecture, imageNameOf } from "../linux/syscalls";
import { run } from "./run";

export const noApt = "this takes Debian's kernel with apt; elsewhere, give any kernel: --kernel FILE --modules DIR";

/** How apt is asked. */
export interface Apt {
  /** Where Debian's packages have another name for each. */
  architecture: Architecture;
  /** Options of each of its commands. As root apt would download as the user _apt, who may not write here. */
  options: readonly string[];
}

/**
 * For packages of this architecture. Another one's lists are brought up to date first.
 * @param cache where they are kept
 * @throws RunvError IMAGE_DOWNLOAD, IMAGE_TOOL_MISSING
 */
export async function aptFor(wanted: Architecture, cache: string, progress: (line: string) => void): Promise<Apt> {
  const options = ["-o", "APT::Sandbox::User=root"];
  if (wanted === architecture) return { architecture: wanted, options };
  const name = imageNameOf(wanted);
  const state = join(cache, `apt-${name}`);
  for (const path of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(state, path), { recursive: true });
  const status = join(state, "status");
  if (!existsSync(status)) writeFileSync(status, "");
  const own = {
    "APT::Architecture": name,
    "APT::Architectures": name,
    "Dir::State::lists": join(state, "lists"),
    "Dir::State::status": status,
    "Dir::Cache": join(state, "cache"),
  };
  const apt = {
    architecture: wanted,
    options: [...options, ...Object.entries(own).flatMap(([key, value]) => ["-o", `${key}=${value}`])],
  };
  progress(`asking for the lists of Debian's packages for ${name}`);
  try {
    await run(["apt-get", ...apt.options, "update", "-qq"], { install: noApt });
  } catch (error) {
    if (!(error instanceof RunvError) || error.code !== "IMAGE_TOOL_FAILED") throw error;
    throw new RunvError("IMAGE_DOWNLOAD", `lists of Debian's packages for ${name}: ${error.message}`, {
      cause: error,
      hint: "or give a kernel: --kernel FILE --modules DIR",
    });
  }
  return apt;
}
