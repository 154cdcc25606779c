import type { ImageManifest } from "../image/manifest";

/** The files of these modules and all they need, in the order to load them; those built into the kernel need none. */
export function modulesFor(manifest: ImageManifest, names: readonly string[]): string[] {
  const { extra } = manifest.modules;
  const paths = names.flatMap((name) => {
    const module = extra[name];
    return module === undefined ? [] : [...module.depends.map((needed) => extra[needed]!.path), module.path];
  });
  return [...new Set(paths)];
}
