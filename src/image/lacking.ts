/** What an image's kernel has neither as a module nor built in. */
import type { ImageModules } from "./manifest";
import { moduleName } from "./module-info";
import { moduleGroups } from "./module-names";
import { onDemandGroups } from "./on-demand-modules";

export interface Lacking {
  /** What a guest cannot do, or not wholly. */
  use: string;
  names: string[];
}

/** By what they are for, of those that runv may ask for. */
export function lackingIn({ boot, extra, onDemand = [], builtin }: ImageModules): Lacking[] {
  const there = new Set([...boot.map(moduleName), ...Object.keys(extra), ...onDemand, ...builtin]);
  return [...moduleGroups, ...onDemandGroups]
    .map(({ use, names }) => ({ use, names: names.filter((name) => !there.has(name)) }))
    .filter(({ names }) => names.length > 0);
}

/** In a line, for people: `files over virtiofs (virtiofs, fuse), disks (loop)`. */
export function formatLacking(lacking: readonly Lacking[]): string {
  return lacking.map(({ use, names }) => `${use} (${names.join(", ")})`).join(", ");
}
