/**
 * What commands and shims say to a monitor over its control socket: frames of the guest protocol, which it passes on, and
 * requests to the monitor itself, in JSON.
 *
 * The monitor's first frame to a client is WELCOME with the base of the client's handles: it may run programs with
 * handles base + 1 to base + 65535. When the client goes, its processes are killed.
 */

import type { PackedError } from "../base/error";
import type { LogOptions } from "../base/log";
import type { TemplateSettings } from "../base/settings";
import type { DiskFileSystem } from "../guest/disks";
import type { Hello, KnownProcesses } from "../guest/guest";
import type { SharedMemory } from "../guest/memory";
import type { DriverOptions, MachineSize } from "../hypervisor/driver";
import type { InterfaceChange } from "../network/interface-requests";
import type { NetworkKind } from "../network/networks";
import type { TreeAttributes } from "../share/tree";
import type { ContainerDisks } from "./disks";

/** Frame types of the control socket, beside those of the guest protocol. */
export const ControlType = {
  /** JSON: `MonitorTask`, the first frame to a monitor that was just started, from whoever did so. */
  begin: 63,
  /** u32: the base of the client's handles. */
  welcome: 64,
  /** JSON: `Envelope` with a request. */
  request: 65,
  /** JSON: `Reply`. */
  reply: 66,
  /** JSON: `PackedError`: why the monitor cannot begin. */
  failed: 67,
} as const;

/** What the virtual machine is made of. */
export interface LaunchRequest {
  op: "launch";
  /** For the hypervisor's own tools: see `MachineSpec`. */
  label?: string;
  title?: string;
  driver: string;
  kernel: string;
  initrd: string;
  cpus: number;
  memoryMiB: number;
  /** Whose the network namespace is that the monitor is in. */
  network: NetworkKind;
  /** The templates to clone from and to add to; undefined: boot. */
  templates?: TemplateSettings | undefined;
  driverOptions: DriverOptions;
  /** How long the hypervisor may take, and then the guest; undefined: what is usual. */
  startTimeoutMs?: number | undefined;
}

/** Starts the machine ahead of time, and keeps it for a `claim` as long as this connection lives. Its network namespace is new. */
export interface PoolRequest extends Omit<LaunchRequest, "op"> {
  op: "pool";
}

/** Takes a machine of the pool, which this connection holds then; `launch` wakes it. */
export interface ClaimRequest {
  op: "claim";
  /** Where the sandbox's directory is now. */
  directory: string;
  /** A descriptor of process `pid`: the network namespace to be in. Undefined: that in which the monitor is. */
  namespace?: { pid: number; fd: number } | undefined;
  /** Where the monitor's log goes. */
  log: LogOptions;
  /** The timeline to write to. */
  trace?: string | undefined;
}

/** The machine is to be forked from another one, which has been asked to stand still (`still`). */
export interface BranchRequest extends Omit<LaunchRequest, "op"> {
  op: "branch";
  /** The address of the other one's control socket. */
  from: string;
  /** The handle of the process that is to be taken over. */
  init: number;
  /** The container's name, which the other one has as `of`. */
  container: string;
  of: string;
  /** The host name that it has from now on. */
  hostname: string;
}

/** The machine stands still, with nothing under way, until `go-on` or the end of this connection. The container is frozen. */
export interface StillRequest {
  op: "still";
  container: string;
  /** It is frozen already, and stays so. */
  paused: boolean;
  /** It goes on by itself when so many were forked. */
  forks: number;
}

/** The machine goes on. Answers with `Stood`. */
export interface GoOnRequest {
  op: "go-on";
}

/**
 * Saves the machine into files of process `pid`, with its memory: descriptors, as `WholeFiles` has them. It stands still until `go-on` or the end of this connection. Answers with
 * `Saved`.
 */
export interface SaveRequest {
  op: "save";
  container: string;
  /** The container is paused, and stays so. */
  paused: boolean;
  /** The fields of config.json by which the container has files of the share. */
  shared: readonly string[];
  pid: number;
  memory: number;
  devices: number;
}

/** The machine, which was saved for this client, is to end as it stands. The connection ends with it. */
export interface DiscardRequest {
  op: "discard";
}

/** What the monitor of a machine must know that is another one's, taken up where it was saved. */
export interface Saved {
  /** The driver's. */
  notes: unknown;
  /** What it was made of. */
  made: Pick<LaunchRequest, "driver" | "driverOptions" | "kernel" | "initrd">;
  size: MachineSize;
  hello: Hello;
  hiddenNic: string | undefined;
  /** The processes of the monitor itself, and of its clients. */
  own: KnownProcesses;
  processes: readonly number[];
  disks: ContainerDisks;
}

/** The machine is to go on where another one was saved: descriptors of process `pid` are the files. The container is frozen then. */
export interface RestoreRequest extends Omit<LaunchRequest, "op"> {
  op: "restore";
  pid: number;
  memory: number;
  devices: number;
  saved: Saved;
  /** The disks, in the order of `saved.disks.ids`: descriptors of process `pid`. */
  disks: readonly Pick<DiskRequest, "fd" | "device" | "format" | "readOnly">[];
  /** The handle of the process that is to be taken over. */
  init: number;
  /** The container's name, and that which it had when it was saved. */
  container: string;
  of: string;
}

/** The container of a machine that was restored is to run: from then on there is something to be written back when the machine ends. */
export interface ThawRequest {
  op: "thaw";
  container: string;
}

/** For how long the machine's container stood still. */
export interface Stood {
  ms: number;
}

/** Forks the machine, which stands still: `fd` of process `pid` is the connection to what was forked. Answers with `Forked`. */
export interface ForkRequest {
  op: "fork";
  pid: number;
  fd: number;
}

/** What was forked for this client goes its own way, as it does when this connection ends. Answers when the machine goes on. */
export interface ForkedRequest {
  op: "forked";
}

/** What the monitor of a machine must know that was forked from a running one. */
export interface Forked {
  /** The driver's. */
  notes: unknown;
  size: MachineSize;
  hello: Hello;
  hiddenNic: string | undefined;
  /** The processes of the monitor itself, and of its clients. */
  own: KnownProcesses;
  processes: readonly number[];
}

/** The processes of a machine of the pool, in the answers to pool and claim. */
export interface PooledPids {
  monitor: number;
  machine?: number | undefined;
}

/** The monitor is in the cgroups in which its machine is to be: see `MonitorTask`. */
export interface SettledRequest {
  op: "settled";
}

/** The client wants the machine to live as long as this connection. */
export interface HoldRequest {
  op: "hold";
}

/** A container comes into the machine, which lives as long as this connection. Answers with `Joined`. */
export interface JoinRequest {
  op: "join";
  container: string;
  /** A descriptor of process `pid`: the container's network namespace. Undefined: it has the machine's own network. */
  namespace?: { pid: number; fd: number } | undefined;
}

/** What a container finds in the machine that it joins. */
export interface Joined {
  machine: MachineInfo;
  /** The handle of a process whose network namespace is the container's; undefined: that is the guest's own. */
  network?: number | undefined;
}

/** The client does not want that any more. */
export interface LetGoRequest {
  op: "let-go";
}

/** Puts a mount tree, an open_tree(2) descriptor of process `pid`, at a path below the share. */
export interface ShareRequest {
  op: "share";
  pid: number;
  fd: number;
  path: string;
  directory: boolean;
  attributes: TreeAttributes;
}

/** Makes the tree at a path below the share read-only, whatever it is to the guest. */
export interface SealRequest {
  op: "seal";
  path: string;
}

/** Adds a disk: an open descriptor of process `pid`. Answers with a `GuestDisk`. */
export interface DiskRequest {
  op: "disk";
  /** Whose it is: it goes when that is forgotten. */
  container: string;
  pid: number;
  fd: number;
  /** A block device, or else a file. */
  device: boolean;
  format: "raw" | "qcow2";
  readOnly: boolean;
  /** Its file system, if it is to be mounted as the container's root. */
  root?: DiskFileSystem | undefined;
}

/** Has memory of the machine's, a file system that its containers share: what there is by this name, or else new. */
export interface MemoryRequest {
  op: "memory";
  /** Whose it is from now on, too: it goes when these are forgotten. */
  container: string;
  memory: SharedMemory;
  /** A path below the share: what is there is put into a new one. */
  from: string;
}

/** A container of the machine is gone: ends what is left of it there. */
export interface ForgetRequest {
  op: "forget";
  id: string;
}

/** Lets a stopped process go on, and answers with what becomes of it. The process may be another client's. */
export interface GoRequest {
  op: "go";
  handle: number;
}

/** The client wants to have what comes from another one's process from now on. Answers with whether there is such a process. */
export interface TakeOverRequest {
  op: "take-over";
  handle: number;
}

/** Gives the guest what a container's network namespace holds now. */
export interface NetworkRequest {
  op: "network";
  container: string;
  /** What is not there now is not to be expected soon. */
  complete: boolean;
}

/** Lists or changes a container's network interfaces. */
export interface InterfaceRequest {
  op: "interface";
  container: string;
  change: InterfaceChange;
}

/** Gives the machine at least this size, and answers with what it has then. */
export interface GrowRequest extends MachineSize {
  op: "grow";
}

/** A container of the machine was out of memory: has the host's kernel say so too. */
export interface OutOfMemoryRequest {
  op: "outOfMemory";
  /** The directories of the container's cgroup on the host. */
  cgroup: readonly string[];
}

/** Asks what the machine is. */
export interface InfoRequest {
  op: "info";
}

export type Request =
  | LaunchRequest
  | PoolRequest
  | BranchRequest
  | StillRequest
  | GoOnRequest
  | SaveRequest
  | DiscardRequest
  | RestoreRequest
  | ThawRequest
  | ForkRequest
  | ForkedRequest
  | ClaimRequest
  | SettledRequest
  | HoldRequest
  | JoinRequest
  | LetGoRequest
  | ShareRequest
  | SealRequest
  | DiskRequest
  | MemoryRequest
  | ForgetRequest
  | GoRequest
  | TakeOverRequest
  | NetworkRequest
  | InterfaceRequest
  | GrowRequest
  | OutOfMemoryRequest
  | InfoRequest;

/** What a machine is, in the answers to launch and info. */
export interface MachineInfo {
  /** The process in which the guest runs, if it is one of this host's. */
  pid?: number | undefined;
  driver: string;
  accelerator: string;
  /** The guest kernel's release. */
  release: string;
  /** What it has now, with all that was added. */
  size: MachineSize;
  /** What it can have. */
  most: MachineSize;
  /** What the hypervisor may take for itself beyond what all do, in MiB. */
  ownMemoryMiB: number;
  /**
   * See `Sandbox`: whoever starts the container is to start that process, for he is in no container's cgroup, and is not waited for with all that he
   * leaves behind, as conmon waits for `create`.
   */
  lacksProcess: boolean;
}

/** What becomes of a process after GO. */
export interface GoResult {
  at: "execed" | "done" | "failed" | "exited";
  /** For "failed": which instruction, and why. */
  instruction?: number;
  errno?: number;
}

export interface Envelope {
  id: number;
  request: Request;
}

export type Reply = { id: number; result: unknown } | { id: number; error: PackedError };
