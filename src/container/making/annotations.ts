/** What a container's annotations say of its machine, as far as the administrator lets them. */
import { readConfig } from "../../base/config";
import { RunvError } from "../../base/error";
import type { GlobalOptions } from "../../base/settings";
import { driverKeys } from "../../hypervisor";

/** Behind this stand keys of config.toml. */
const prefix = "org.runv.";

/** What config.toml and the flags have a word for, and a container may, too. */
const settings: Readonly<Record<string, (value: string, name: string) => Partial<GlobalOptions>>> = {
  driver: (driver) => ({ driver }),
  kernel: (path, name) => ({ kernel: absolute(path, name) }),
  initrd: (path, name) => ({ initrd: absolute(path, name) }),
  default_cpus: (text, name) => ({ defaultCpus: count(text, name) }),
  default_memory: (text, name) => ({ defaultMemory: count(text, name) }),
  share: (share) => ({ driverOptions: { share } }),
  share_cache: (cache) => ({ driverOptions: { share_cache: cache } }),
};

/** The annotations that `allow_annotations` can name. */
export const settingAnnotations: readonly string[] = Object.keys(settings).map((key) => `${prefix}${key}`);

/**
 * The global options for one container: those of its annotations where the command line says nothing.
 * @throws RunvError CONFIG_UNSUPPORTED for one that config.toml does not allow, CONFIG_INVALID for a value that is none
 */
export function withAnnotations(global: GlobalOptions, annotations: Readonly<Record<string, string>>): GlobalOptions {
  const given = settingAnnotations.filter((name) => annotations[name] !== undefined);
  if (given.length === 0) return global;
  const allowed = readConfig(driverKeys).allow_annotations ?? [];
  let told: GlobalOptions = global;
  for (const name of given) {
    if (!allowed.includes(name)) {
      throw new RunvError("CONFIG_UNSUPPORTED", `annotations[${JSON.stringify(name)}] is not allowed on this host`, {
        hint: `allow_annotations = [${JSON.stringify(name)}] in /etc/runv/config.toml lets containers say it`,
      });
    }
    const { driverOptions, ...rest } = settings[name.slice(prefix.length)]!(annotations[name]!, name);
    told = { ...rest, ...definedIn(told), driverOptions: { ...driverOptions, ...told.driverOptions } };
  }
  return told;
}

/** What a command line has said goes before an annotation. */
function definedIn(global: GlobalOptions): GlobalOptions {
  return Object.fromEntries(
    Object.entries(global).filter(([, value]) => value !== undefined),
  ) as unknown as GlobalOptions;
}

function absolute(path: string, name: string): string {
  if (path.startsWith("/")) return path;
  throw invalid(name, `${JSON.stringify(path)} is no absolute path`);
}

function count(text: string, name: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw invalid(name, `${JSON.stringify(text)} is no whole number above 0`);
}

function invalid(name: string, problem: string): RunvError {
  return new RunvError("CONFIG_INVALID", `annotations[${JSON.stringify(name)}]: ${problem}`);
}
