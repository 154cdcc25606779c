/** What an initrd of runv says about itself, in its first file. */
import { isObject } from "../base/is-object";

export const manifestPath = "runv/image.json";
/** The version of the manifest, and that of the guest protocol that the image's init speaks. */
export const manifestFormat = 1;
export const protocolVersion = 2;

export interface ImageManifest {
  format: number;
  protocol: number;
  /** As `uname -m` says it. */
  arch: string;
  kernelRelease: string;
  /** Where that kernel came from, for people. */
  source?: string;
  initSha256: string;
  kernelSha256: string;
  modules: ImageModules;
  /** Options that the kernel's configuration has not, of those in options.ts. Not said where the configuration is not known. */
  optionsLacking?: string[];
}

export interface ImageModules {
  /** Paths of the modules that init loads before it says hello. */
  boot: string[];
  /** Modules that the host has loaded when they are needed. */
  extra: Record<string, ImageModule>;
  /** Names of those that its kernel may ask for, which lie beside the initrd. An image of an older runv does not say. */
  onDemand?: string[];
  /** Those that runv may need and this kernel has built in. */
  builtin: string[];
}

export interface ImageModule {
  path: string;
  /** Modules of `extra` to be loaded before this one, in this order: all of them, not only the nearest. */
  depends: string[];
}

export function encodeManifest(manifest: ImageManifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest)}\n`);
}

/** The manifest in this text; undefined when it is none of format 1. Its protocol is for the caller to judge. */
export function parseManifest(text: string): ImageManifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isManifest(value) ? value : undefined;
}

function isManifest(value: unknown): value is ImageManifest {
  if (!isObject(value) || value.format !== manifestFormat || !Number.isSafeInteger(value.protocol)) return false;
  const texts = ["arch", "kernelRelease", "initSha256", "kernelSha256"];
  if (value.optionsLacking !== undefined && !isTexts(value.optionsLacking)) return false;
  if (value.source !== undefined && typeof value.source !== "string") return false;
  return texts.every((key) => typeof value[key] === "string") && isModules(value.modules);
}

function isModules(value: unknown): value is ImageModules {
  if (!isObject(value) || !isObject(value.extra)) return false;
  if (value.onDemand !== undefined && !isTexts(value.onDemand)) return false;
  const isModule = (module: unknown) => isObject(module) && typeof module.path === "string" && isTexts(module.depends);
  return isTexts(value.boot) && isTexts(value.builtin) && Object.values(value.extra).every(isModule);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
