/** What the commands of the command line ask for. All paths are absolute. */
import type { GlobalOptions } from "../base/settings";
import type { DiskFileSystem } from "../guest/disks";
import type { AddInterface, UpdateInterface } from "../network/interface-requests";
import type { EarlyMonitor } from "../sandbox/early-monitor";
import type { Attended } from "./shim/attended";

/** What the commands need that take nothing but an id. */
export interface ContainerOptions {
  global: GlobalOptions;
  id: string;
}

/** An image or a block device of the host, not mounted there, that is a container's root file system. */
export interface RootDisk {
  /** What has it, for errors. */
  field: string;
  path: string;
  format: "raw" | "qcow2";
  readOnly: boolean;
  fileSystem: DiskFileSystem;
}

/** What is needed to make a container. All paths are absolute. */
export interface CreateOptions {
  global: GlobalOptions;
  id: string;
  bundle: string;
  consoleSocket: string | undefined;
  pidfdSocket: string | undefined;
  pidFile: string | undefined;
  preserveFds: number;
  /** The container is to have its caller's session keyring. */
  noNewKeyring?: boolean;
  /** A disk that is the root file system in the place of `root.path`. */
  rootDisk?: RootDisk | undefined;
  /** Of a daemon: the standard streams are files, and the process is looked after by way of a directory. */
  attended?: Attended | undefined;
  /** A monitor that was started for it, to be dismissed where it is not needed. */
  early?: EarlyMonitor | undefined;
}

/** What is needed to make a container and run it to its end. */
export interface RunOptions extends CreateOptions {
  detach: boolean;
  /** Keep the container after its end. */
  keep: boolean;
}

/** One more process in a container. Either `process` names a file that says all, or `command` and the rest do. */
export interface ExecOptions {
  global: GlobalOptions;
  id: string;
  command: string[];
  /** Path of a process.json. */
  process: string | undefined;
  consoleSocket: string | undefined;
  pidfdSocket: string | undefined;
  pidFile: string | undefined;
  preserveFds: number;
  detach: boolean;
  ignorePaused: boolean;
  /** These change the container's own process, where they are given. */
  cwd: string | undefined;
  env: string[];
  tty: boolean;
  user: { uid: number; gid: number | undefined } | undefined;
  additionalGids: number[];
  capabilities: string[];
  noNewPrivs: boolean;
  processLabel: string | undefined;
  apparmor: string | undefined;
  /** `[<controllers>:]<path below the container's own cgroup>`. */
  cgroups: string[];
}

export interface KillOptions {
  global: GlobalOptions;
  id: string;
  /** 0 to 64. */
  signal: number;
  /** Every process of the container, not only its first. */
  all: boolean;
}

export interface DeleteOptions {
  global: GlobalOptions;
  id: string;
  /** Kill it first; no error if there is none. */
  force: boolean;
}

export type Format = "table" | "json";

export interface ListOptions {
  global: GlobalOptions;
  format: Format;
  /** Only the ids. */
  quiet: boolean;
}

export interface PsOptions {
  global: GlobalOptions;
  id: string;
  format: Format;
  /** Options for ps(1). */
  psArgs: string[];
}

export interface ConsoleOptions {
  global: GlobalOptions;
  id: string;
  /** Go on printing until the VM ends. */
  follow: boolean;
}

export interface UpdateOptions {
  global: GlobalOptions;
  id: string;
  /** A file with the limits, or "-" for standard input: then `limits` counts for nothing. */
  file: string | undefined;
  /** A document like that of the file, to be read. What is absent or 0 is left as it is. */
  limits: unknown;
}

export interface EventsOptions {
  global: GlobalOptions;
  id: string;
  /** What it uses now, and no more. */
  stats: boolean;
  /** Milliseconds between two accounts of what it uses. */
  intervalMs: number;
}

/** `runv interface`. */
export interface InterfaceOptions extends ContainerOptions {
  change:
    | { do: "list" }
    | ({ do: "add"; tapName: string } & Omit<AddInterface, "pid" | "tap">)
    | { do: "remove"; name: string }
    | ({ do: "update" } & UpdateInterface);
}
