/** Branches in tests: their original, which must have been forked, and a directory of their own. */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Rig, templatesOf } from "./rig";
import type { RunvOptions } from "./runv";
import { readyProcess } from "./template-process";

/** How long anything may take, in ms. */
export const patience = 120_000;

/** With branches' root file systems in the rig's directory. */
export function runv(rig: Rig, args: readonly string[], options: RunvOptions = {}) {
  const config = join(rig.directory, "config.toml");
  writeFileSync(config, `branches = "${branchesOf(rig)}"\n`);
  const env = { RUNV_CONFIG: config };
  return rig.runv(["--driver", "tcg", "--template", templatesOf(rig), ...args], { ...options, env });
}

export const branchesOf = (rig: Rig) => join(rig.directory, "branches");

/** Runs a container in the background. @returns its id */
export async function start(rig: Rig, suffix: string, bundle: string, ...flags: string[]): Promise<string> {
  const id = rig.id(suffix);
  const result = await runv(rig, [...flags, "run", "-d", "-b", bundle, id], { stdout: "/dev/null" });
  expect(result).toMatchObject({ code: 0, stderr: "" });
  return id;
}

/** Starts one whose machine is forked. */
export async function startForked(rig: Rig, bundle: string, ...flags: string[]): Promise<string> {
  const first = await start(rig, "first", await rig.bundle({ args: ["sleep", "100000"] }), ...flags);
  await readyProcess(rig);
  const id = await start(rig, "original", bundle, ...flags);
  await runv(rig, ["delete", "--force", first]);
  return id;
}

export const branch = (rig: Rig, ...args: string[]) => runv(rig, ["branch", ...args], { stdout: "/dev/null" });

export async function output(rig: Rig, id: string, command: string): Promise<string> {
  const { code, stdout, stderr } = await runv(rig, ["exec", id, "sh", "-c", command]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trim();
}
