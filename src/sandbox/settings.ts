/** How VMs are made: what the global flags say, else the configuration file, else the defaults. */
import { resolve } from "node:path";
import { type Config, readConfig } from "../base/config";
import type { GlobalOptions, PoolSettings, Settings, TemplateSettings } from "../base/settings";
import { driverKeys } from "../hypervisor";
import { usualShare } from "../hypervisor/usual-share";
import { imageBeside, usualImage } from "../image/paths";
import { type Architecture, architecture, architectureWords } from "../linux/syscalls";
import { defaultMemoryMiB, memorySource } from "./default-memory";

const defaultTemplates = "/var/lib/runv/templates";
const defaultBranches = "/var/lib/runv/branches";
const defaultTemplatesMiB = 2048;
const defaultTemplateIdle = 300;
const defaultPool: PoolSettings = { directory: "/run/runv-pool", size: 2, reserveMiB: 512 };

/** The settings that a command is to use. Reads the configuration file. */
export function settings(global: GlobalOptions, config: Config = readConfig(driverKeys)): Settings {
  const driver = global.driver ?? config.driver ?? "auto";
  const templates = global.noTemplate ? undefined : templateSettings(global, config);
  const { arch, ...others } = { ...config.driverOptions, ...global.driverOptions };
  const guests = architectureWords[arch ?? ""];
  // Who says this machine's own, and who says nothing, mean the same machine.
  const image = imageSettings(global, config, guests);
  const driverOptions = withShare(
    guests === architecture || arch === undefined ? others : { ...others, arch: guests ?? arch },
    image.initrd,
  );
  return {
    ...image,
    architecture: guests === architecture ? undefined : guests,
    driver,
    templates,
    pool: poolSettings(global, config),
    branches: config.branches ?? defaultBranches,
    defaultCpus: global.defaultCpus ?? config.default_cpus ?? 1,
    defaultMemory:
      global.defaultMemory ??
      config.default_memory ??
      defaultMemoryMiB(memorySource(driver, driverOptions.share, templates?.directory)),
    startTimeoutMs: config.start_timeout && config.start_timeout * 1000,
    driverOptions,
  };
}

/** Has `share = "auto"` be what it comes to: once, for all that have a part in a machine, as its monitor, a pool's keeper and a template's process have. */
function withShare({ share, ...others }: Settings["driverOptions"], initrd: string): Settings["driverOptions"] {
  if (share === undefined) return others;
  return share === "auto" ? { ...others, usualShare: usualShare(others, initrd).share } : { ...others, share };
}

/**
 * The kernel and the initrd: of the command line, of the configuration, which speaks of machines of this one's kind; where both say nothing, those beside an
 * executable in a checkout, else those in /var/lib/hyper.
 * @param guests the architecture that they are to be for
 */
export function imageSettings(
  global: Pick<GlobalOptions, "kernel" | "initrd">,
  config: Pick<Config, "kernel" | "initrd">,
  guests: Architecture = architecture,
  executable?: string,
) {
  const flags = global.kernel !== undefined || global.initrd !== undefined;
  const { kernel, initrd } = guests === architecture ? config : {};
  const configured = kernel !== undefined || initrd !== undefined;
  const beside = flags || configured ? undefined : imageBeside(executable, guests);
  const usual = usualImage(guests);
  return {
    kernel: resolve(global.kernel ?? kernel ?? beside?.kernel ?? usual.kernel),
    initrd: resolve(global.initrd ?? initrd ?? beside?.initrd ?? usual.initrd),
    imageFrom: flags
      ? "the command line"
      : configured
        ? "config.toml"
        : beside === undefined
          ? "the usual place"
          : "beside the executable",
  };
}

/** Where the templates are, and how much they may take. */
export function templateSettings(
  { template }: GlobalOptions,
  config: Config = readConfig(driverKeys),
): TemplateSettings {
  return {
    directory: resolve(template ?? config.templates ?? defaultTemplates),
    budgetMiB: config.templates_size ?? defaultTemplatesMiB,
    idleSeconds: config.template_idle ?? defaultTemplateIdle,
    reserveMiB: config.pool_reserve ?? defaultPool.reserveMiB,
  };
}

/** Where the pools are, and how large. */
export function poolSettings({ pool }: GlobalOptions, config: Config = readConfig(driverKeys)): PoolSettings {
  return {
    directory: resolve(pool ?? config.pool ?? defaultPool.directory),
    size: config.pool_size ?? defaultPool.size,
    reserveMiB: config.pool_reserve ?? defaultPool.reserveMiB,
  };
}
