/** Bundles for tests: a config.json and a root file system that is the test's own. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Architecture } from "../../src/linux/syscalls";
import { formatDefaultConfig } from "../../src/oci/spec";
import { mountRootfs, type RootfsKind } from "./rootfs";

const configs = join(import.meta.dir, "../configs");

/** A config.json, as far as tests change it; more is in it. */
export interface Config {
  process: { args: string[]; env: string[]; terminal?: boolean; [key: string]: unknown };
  root: { path: string; readonly?: boolean };
  mounts: { destination: string; type?: string; source?: string; options?: string[] }[];
  hooks?: unknown;
  linux: { cgroupsPath?: string; namespaces: { type: string; path?: string }[]; [key: string]: unknown };
  [key: string]: unknown;
}

export interface BundleOptions {
  /** The name of a file in tests/configs, without `.json`; what `runv spec` writes if undefined. */
  config?: string;
  rootfs?: RootfsKind;
  /** That of its programs; RUNV_TEST_ARCH's, or this machine's, if undefined. */
  architecture?: Architecture;
  args?: string[];
  /** Changes the configuration before it is written. */
  change?: (config: Config) => void;
}

/** Makes a bundle below `directory` and returns its path. Its overlay stays mounted. */
export async function makeBundle(directory: string, options: BundleOptions = {}): Promise<string> {
  const bundle = mkdtempSync(join(directory, "bundle-"));
  const config = options.config === undefined ? ownConfig() : recordedConfig(options.config, bundle);
  config.root.path = await mountRootfs(options.rootfs ?? "busybox", bundle, options.architecture);
  if (options.args !== undefined) config.process.args = options.args;
  options.change?.(config);
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  return bundle;
}

/** JSON.parse's third argument and JSON.rawJSON are not in TypeScript's library yet. */
const { parse, rawJSON } = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): Config;
  rawJSON(text: string): unknown;
};

/** Numbers beyond 2^53 (a client writes 2^64-1) are to be written as they were read. */
function keepNumber(_key: string, value: unknown, { source }: { source?: string }): unknown {
  return typeof value === "number" && source !== undefined && /^\d{16,}$/.test(source) ? rawJSON(source) : value;
}

function ownConfig(): Config {
  const config: Config = JSON.parse(formatDefaultConfig());
  config.process.terminal = false;
  return config;
}

/**
 * A config that a real client wrote, run as it is but for what is gone with the client: the files it had bound into the
 * container are made anew, and network namespaces and hooks belong to the tests of networking.
 */
function recordedConfig(name: string, bundle: string): Config {
  const config = parse(readFileSync(join(configs, `${name}.json`), "utf8"), keepNumber);
  delete config.hooks;
  config.linux.namespaces = config.linux.namespaces.map(({ type }) => ({ type }));
  // Under a name that the leak check knows.
  config.linux.cgroupsPath = `/${basename(dirname(bundle))}-${basename(bundle)}`;
  for (const mount of config.mounts) {
    const isBind = mount.type === "bind" || mount.options?.some((option) => option === "bind" || option === "rbind");
    if (isBind && mount.source !== undefined && !existsSync(mount.source))
      mount.source = standIn(bundle, mount.destination);
  }
  return config;
}

/** In the recorded configs, what is bound below these directories are files. */
function standIn(bundle: string, destination: string): string {
  const path = join(bundle, "sources", destination);
  const isFile = /^\/(etc|run|sbin)\//.test(destination);
  mkdirSync(isFile ? dirname(path) : path, { recursive: true });
  const isInit = destination === "/sbin/docker-init";
  const content = isInit ? '#!/bin/sh\nshift\nexec "$@"\n' : `stand-in for ${destination}\n`;
  if (isFile) writeFileSync(path, content, { mode: isInit ? 0o755 : 0o644 });
  return path;
}
