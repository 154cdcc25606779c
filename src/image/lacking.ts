/** What an image's kernel has neither as a module nor built in. */
import type { ImageManifest } from "./manifest";
import { moduleName } from "./module-info";
import { moduleGroups } from "./module-names";
import { onDemandGroups } from "./on-demand-modules";
import { optionGroups } from "./options";

export interface Lacking {
  /** What a guest cannot do, or not wholly. */
  use: string;
  names: string[];
}

/** By what they are for: options of its configuration, and modules of those that runv may ask for. */
export function lackingIn({
  modules: { boot, extra, onDemand = [], builtin },
  optionsLacking = [],
}: Pick<ImageManifest, "modules" | "optionsLacking">): Lacking[] {
  const there = new Set([...boot.map(moduleName), ...Object.keys(extra), ...onDemand, ...builtin]);
  const options = optionGroups.map(({ use, names }) => ({
    use,
    names: names.filter((name) => optionsLacking.includes(name)).map((name) => `CONFIG_${name}`),
  }));
  const modules = [...moduleGroups, ...onDemandGroups].map(({ use, names }) => ({
    use,
    names: names.filter((name) => !there.has(name)),
  }));
  return [...options, ...modules].filter(({ names }) => names.length > 0);
}

/** In a line, for people: `files over virtiofs (virtiofs, fuse), disks (loop)`. */
export function formatLacking(lacking: readonly Lacking[]): string {
  return lacking.map(({ use, names }) => `${use} (${names.join(", ")})`).join(", ");
}
