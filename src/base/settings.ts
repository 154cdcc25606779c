/** What holds for every command of one call of runv. Types only: `src/cli/global.ts` and `settings.ts` fill them. */
import type { LogFormat } from "./log";

/** The flags before the command. */
export interface GlobalOptions {
  /** Where the containers' state is. Absolute. */
  root: string;
  log: string | undefined;
  logFormat: LogFormat;
  debug: boolean;
  systemdCgroup: boolean;
  rootless: string;
  /** These six override the configuration file: see `Settings`. */
  kernel: string | undefined;
  initrd: string | undefined;
  driver: string | undefined;
  driverOptions: Readonly<Record<string, string>>;
  defaultCpus: number | undefined;
  defaultMemory: number | undefined;
  /** Where the templates are. */
  template: string | undefined;
  noTemplate: boolean;
  /** Where the pools are. */
  pool: string | undefined;
}

/** How VMs are made. */
export interface Settings {
  kernel: string;
  initrd: string;
  /** Who says that it is these two, for people. */
  imageFrom: string;
  /** Of guests, where that is not this machine's. */
  architecture: "x86_64" | "aarch64" | undefined;
  driver: string;
  /** Undefined: boot each VM. */
  templates: TemplateSettings | undefined;
  pool: PoolSettings;
  /** Where the root file systems of branches are copied to. */
  branches: string;
  /** For a container that asks for none. */
  defaultCpus: number;
  /** In MiB, likewise. */
  defaultMemory: number;
  /** How long a machine may take until its hypervisor answers, and then its guest; undefined: what is usual. */
  startTimeoutMs: number | undefined;
  /** By the keys of their settings. */
  driverOptions: Readonly<Record<string, string>>;
}

export interface TemplateSettings {
  directory: string;
  /** How much all of them may take on disk. */
  budgetMiB: number;
  /** How long the process of a template waits for somebody to be forked from it, in seconds; 0: there is none. */
  idleSeconds: number;
  /** How much memory the host must have left for it. */
  reserveMiB: number;
}

export interface PoolSettings {
  directory: string;
  /** How many machines `runv pool start` keeps. */
  size: number;
  /** How much memory the host must have left for a pool to grow. */
  reserveMiB: number;
}
