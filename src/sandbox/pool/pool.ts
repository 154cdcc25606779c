/**
 * The pool on disk: `<pool>/<cpus>x<memory>/` for each shape of machine that somebody keeps ready, and in it a sandbox's directory for
 * each machine, named `<key>.<id>`, with a file `ready` when it is. Who renames such a directory has taken the machine.
 */
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { build, commit, version } from "../../base/version";
import { type Identity, isAlive } from "../../linux/identity";
import type { LaunchRequest } from "../messages";
import { fingerprint } from "../template/template-description";
import { templateKey } from "../template/template-store";

/** What a machine of the pool is made of. */
export type PooledMachine = Omit<LaunchRequest, "op">;

/** What `<pool>/<shape>/status.json` says: written by the pool's keeper, by rename. */
export interface PoolStatus {
  keeper: Identity;
  runv: string;
  cpus: number;
  memoryMiB: number;
  kernel: string;
  /** How many machines are to be ready, are ready, were taken and failed to start. */
  size: number;
  ready: number;
  taken: number;
  failed: number;
  state: "full" | "filling" | "waiting for memory" | "failing";
  /** Why the last machine did not start. */
  problem?: string | undefined;
}

const readyFile = "ready";
export const statusFile = "status.json";
/** Its keeper has it locked. */
export const lockFile = "lock";

/** The directory of a shape. */
export function shapeDirectory(pool: string, { cpus, memoryMiB }: Pick<PooledMachine, "cpus" | "memoryMiB">): string {
  return `${pool}/${cpus}x${memoryMiB}`;
}

/** The directory of a machine. */
export function unitDirectory(shape: string, key: string, id: string): string {
  return `${shape}/${key}.${id}`;
}

/** Tells machines of the pool apart that are not made of the same. Where the hypervisor is looked for, its keeper looks. */
export function poolKey({ kernel, initrd, driver, driverOptions, cpus, memoryMiB, network }: PooledMachine): string {
  const files = [kernel, initrd].map((path) => [path, fingerprint(path)]);
  return templateKey({
    runv: [version, commit, build],
    files,
    machine: [driver, driverOptions, cpus, memoryMiB, network],
  });
}

/** The file by which a machine says that it is ready. */
export function readyMark(unit: string): string {
  return `${unit}/${readyFile}`;
}

/**
 * Takes a machine: its directory becomes `target`.
 * @returns whether there was one
 * @throws the file system's error: EXDEV when `target` is on another one
 */
export function takeUnit(pool: string, machine: PooledMachine, target: string): boolean {
  const shape = shapeDirectory(pool, machine);
  if (!existsSync(shape)) return false;
  const key = `${poolKey(machine)}.`;
  for (const name of readdirSync(shape)) {
    const unit = `${shape}/${name}`;
    if (!name.startsWith(key) || !existsSync(readyMark(unit))) continue;
    try {
      renameSync(unit, target);
      return true;
    } catch (error) {
      // Somebody else was quicker.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return false;
}

/** Every shape that somebody keeps, by what its keeper says. */
export function listPools(pool: string): PoolStatus[] {
  return (existsSync(pool) ? readdirSync(pool) : []).flatMap((shape) => poolStatus(`${pool}/${shape}`) ?? []);
}

/** What the keeper of a shape says; undefined when there is none that lives. */
function poolStatus(shape: string): PoolStatus | undefined {
  try {
    const status: PoolStatus = JSON.parse(readFileSync(`${shape}/${statusFile}`, "utf8"));
    return isAlive(status.keeper) ? status : undefined;
  } catch {
    return undefined;
  }
}
