/**
 * What runv asks of a hypervisor. A driver knows nothing of containers: it starts a machine from a kernel and an initrd, gives a byte
 * stream to the agent in it and a directory of the host, and says truthfully what it can and cannot do.
 *
 * To add one: a folder here that exports a `DriverFamily`, and its line in `index.ts`; docs/hypervisors.md tells more.
 */

import type { RunvError } from "../base/error";
import type { Architecture } from "../linux/syscalls";

/** What a driver can do beyond starting and ending machines. What is false is refused with `UNSUPPORTED`, never ignored. */
export interface Capabilities {
  /** Stop and continue the virtual processors. */
  pause: boolean;
  /** Save a machine and start others from it. */
  template: boolean;
  /** Fork others from one that stands still. */
  fork: boolean;
  /** Change the memory that the guest has while it runs. */
  balloon: boolean;
  /** Pages that the guest frees go back to the host by themselves. */
  freePageReporting: boolean;
  hotplugNic: boolean;
  hotplugDisk: boolean;
  hotplugCpu: boolean;
  hotplugMemory: boolean;
}

/** Something that is missing on this machine. */
export interface Problem {
  /** What is missing or wrong: lower case, no full stop. */
  message: string;
  /** The command or the step that mends it. */
  fix?: string;
}

/** Whether a driver works on this machine. */
export interface Probe {
  available: boolean;
  /** The hypervisor's program and version, where there is one. */
  binary?: string;
  version?: string;
  /** How the guest's instructions are executed: "kvm", "tcg". */
  accelerator?: string;
  /** Why this accelerator, in words. */
  reason?: string;
  /** Why it is not available. */
  problems: readonly Problem[];
}

/** A directory of the host that the guest can mount. */
export interface Share {
  /** The name by which the guest mounts it. */
  tag: string;
  /**
   * The directory. It exists. What is mounted below it later is seen by the guest too, provided that the directory
   * is a mount point with shared propagation.
   */
  path: string;
}

/** How the guest mounts a share, and what of its kernel that takes. */
export interface GuestMount {
  /** The file system, "9p" or "virtiofs". */
  type: string;
  /** As mount(8) writes them, for a guest with a kernel of this release. */
  options(release: string): string;
  /** What its files cannot be used for in a guest with a kernel of this release, and who has need of it; undefined if nothing is missed. */
  limit?(release: string): string | undefined;
  modules: readonly string[];
  /** Its device may come when the guest runs already. */
  late?: boolean;
  /** Who serves it, where others serve the same type: machines are made from one another only where that is the same. */
  server?: string;
  /** Its server tells the guest what the host changes, if that asks (`followChanges`). */
  tellsChanges?: boolean;
}

/** A network interface of a machine. */
export interface Nic {
  /** Names it for `removeNic`: letters and digits. */
  id: string;
  /** The MAC address that its device begins with. */
  mac: string;
  /** Where its frames go to and come from. */
  backend: NicBackend;
}

/**
 * A tap of the caller's. Or `link`: the name of an interface that the driver makes in this process's network namespace, and that goes with
 * the machine. Or "user": the hypervisor itself stands for a router and makes the guest's connections its own.
 */
export type NicBackend = TapBackend | { link: string } | "user";

export interface TapBackend {
  /** A descriptor, which the caller may close once the machine has been started or the interface been added. */
  tap: number;
  /** Whether the host's kernel is to carry its frames (/dev/vhost-net). */
  vhost?: boolean;
}

/** A disk of a machine. */
export interface Disk {
  /** Names it, and is its serial number in the guest: letters and digits, 20 at most. */
  id: string;
  /** A descriptor, open for reading and, unless `readOnly`, for writing; the caller may close it once the disk has been added. */
  fd: number;
  /** A block device, or else a file. */
  device: boolean;
  format: "raw" | "qcow2";
  readOnly: boolean;
}

/** Processors and memory of a machine. */
export interface MachineSize {
  cpus: number;
  memoryMiB: number;
}

/** A machine's memory in a file, which has the machine's size. */
export interface MemoryFile {
  path: string;
  /** Whether what the machine writes goes into the file; otherwise it stays the machine's own, page by page. */
  write: boolean;
}

/** Who forks others from a machine that stands still. */
export interface Forker {
  /** What the driver must know of what is forked. It can be said in JSON. */
  readonly notes: unknown;
  /**
   * Forks one.
   * @param connection the one end of a socket of packets, the caller's, of whose other end a `ForkParent` is made
   * @throws RunvError VM_FORK
   */
  fork(connection: number): void;
  /** Forks no more. The machine may run then. */
  close(): void;
}

/** A machine from which others are forked. */
export interface ForkParent {
  /** The path of the socket over which; or of one that runs and is paused, a connection to what was forked from it, as a descriptor of the driver's. */
  socket: string | number;
  /** What its `Machine.forkNotes` returned, or its `Forker` notes. */
  notes: unknown;
}

/** Where a machine is saved to. */
export interface WholeFiles {
  memory: number;
  devices: number;
}

/** A machine that was saved with its memory. */
export interface SavedMachine {
  /** What `Machine.saveWhole` returned; it may come from a file that somebody has changed. */
  notes: unknown;
  /** A file with its memory, as long as that is: a descriptor of the caller's. */
  memory: number;
  /** Those that it had, by their ids. */
  disks: readonly Disk[];
}

/** The machine to start. New fields are optional, so that callers and drivers grow apart without harm. */
export interface MachineSpec {
  /** Its own on this host. Shows in `ps` and in error messages. */
  name: string;
  /** What its user calls it, and a line about it: for the hypervisor's own tools, where they list machines. */
  label?: string;
  title?: string;
  /** The sandbox's private directory; exists. The console's log is written here. */
  directory: string;
  kernel: string;
  initrd: string;
  /** That of the kernel and its programs; the host's, if undefined. */
  architecture?: Architecture;
  /** Words for the guest kernel's command line, after the driver's own (console, agent's port). */
  commandLine?: readonly string[];
  cpus: number;
  memoryMiB: number;
  /** How far it can grow, where that is more. */
  most?: MachineSize;
  share?: Share;
  /** An interface that is there when the guest boots. */
  nic?: Nic;
  /** Its memory is this file. */
  memory?: MemoryFile;
  /**
   * It does not boot but goes on where `Machine.save` left another one of the same description, whose memory it is given: a descriptor to
   * read the devices' state from.
   */
  restore?: number;
  /** With `restore`: the machine was saved with its memory. */
  saved?: SavedMachine;
  /** Others are to be forked from it, over this socket: a descriptor that listens for packets, and that the caller may close. */
  forks?: number;
  /**
   * It neither boots nor is restored, but is forked from this machine of the same description, which stands still, and goes on where that is:
   * with its memory, copy-on-write.
   */
  fork?: ForkParent;
  /**
   * Fulfilled when this process is in the cgroups in which the machine is to be; undefined: it is. Only one that is forked is started before, and moved then: all
   * others are children of this process.
   */
  settled?: Promise<void>;
  /**
   * How long the hypervisor may take until it answers, 60 s unless told: many may start at once; and the guest until it says hello, which is
   * the caller's to watch.
   */
  startTimeoutMs?: number;
}

/** What reads from a channel. */
export interface ChannelHandlers {
  /** Bytes from the guest; they are good until this returns. */
  data(bytes: Uint8Array): void;
  /** A `write` that took less than all was given may be continued. */
  drain(): void;
  /** The channel has ended: nothing comes any more. Called once. */
  close(): void;
}

/** A duplex byte stream to the agent in the guest. */
export interface Channel {
  /** Sends bytes. @returns how many were taken, maybe 0; `drain` tells when the rest may be offered */
  write(bytes: Uint8Array): number;
  /** Stops and restarts reading, to slow a guest down. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** How a machine ended. */
export interface MachineExit {
  /** The exit code of the hypervisor's process; null when a signal ended it, or it is no child of this process. */
  code: number | null;
  /** SIGKILL and so on, or null. */
  signal: string | null;
  /** The last of what the hypervisor said: one line or several, without control characters. */
  stderr: string;
}

/** A machine that was started. It does not outlive this process, however that ends. */
export interface Machine {
  /**
   * The process in which the guest runs, or that serves its devices: a child of this one, or some daemon's. Undefined where there is none on
   * this host.
   */
  readonly pid: number | undefined;
  readonly driver: string;
  readonly accelerator: string;
  readonly capabilities: Capabilities;
  /** What the hypervisor may take for itself beyond what all do, in MiB: under emulation, translated code. */
  readonly ownMemoryMiB?: number;
  /** The file to which the guest's console goes. */
  readonly consoleLog: string;
  /** Fulfilled, never rejected, when the machine has ended, whoever ended it, and nothing is left of it. */
  readonly exited: Promise<MachineExit>;
  /** Fulfilled when it is in this process's cgroups, where it was not from the beginning; rejected, with VM_FORK, when it cannot be. */
  readonly settled?: Promise<void>;
  /**
   * Opens the channel to the agent. To be called once; what the guest says before is not lost.
   * @throws RunvError VM_AGENT_CHANNEL
   */
  connectAgent(handlers: ChannelHandlers): Promise<Channel>;
  /** Stops the virtual processors. @throws RunvError VM_QMP_… or UNSUPPORTED */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * Stops the machine and saves the state of its devices; the memory is in its file. It does not run again.
   * @param to a descriptor to write to
   * @throws RunvError VM_QMP_…, VM_SAVE or UNSUPPORTED
   */
  save(to: number): Promise<void>;
  /**
   * Saves the machine, which is paused, with its memory (undefined: it cannot be); it can be resumed afterwards, also when that fails.
   * @param to descriptors of empty files: for its memory, which is open for reading too, and for the state of its devices, which is open for writing only
   * @returns what the driver must know to go on with it, which can be said in JSON
   * @throws RunvError VM_QMP_…, VM_SAVE, CHECKPOINT_REFUSED
   */
  saveWhole?(to: WholeFiles): Promise<unknown>;
  /**
   * What the driver must know to fork others from this machine, which was started for it and is paused. It can be said in JSON.
   * @throws RunvError VM_FORK or UNSUPPORTED
   */
  forkNotes(): Promise<unknown>;
  /**
   * Has others be forked from this machine (undefined: none can be), which runs, and is paused from now until the forker is closed, with nothing under way.
   * @param share where the directory is now that it shares
   * @throws RunvError VM_FORK, BRANCH_REFUSED
   */
  forker?(share: string): Promise<Forker>;
  /** Adds a network interface to the running machine; the guest sees it a little later. @throws RunvError VM_QMP_… or UNSUPPORTED */
  addNic(nic: Nic): Promise<void>;
  /** Takes a network interface away, and waits until the guest has let go of it, for a while. @throws RunvError VM_QMP_… or UNSUPPORTED */
  removeNic(id: string): Promise<void>;
  /** Adds a disk to the running machine; the guest sees it a little later. @throws RunvError VM_QMP_… or UNSUPPORTED */
  addDisk(disk: Disk): Promise<void>;
  /** Takes a disk away, and waits until the guest has let go of it, for a while. @throws RunvError VM_QMP_… or UNSUPPORTED */
  removeDisk(id: string): Promise<void>;
  /** What the machine has now, with all that was added. */
  readonly size: MachineSize;
  /** Adds processors to the running machine; the guest sees them a little later. @throws RunvError VM_QMP_…, VM_FULL or UNSUPPORTED */
  addCpus(count: number): Promise<void>;
  /**
   * Adds memory to the running machine; the guest sees it a little later.
   * @param memoryMiB a multiple of 128
   * @throws RunvError VM_QMP_…, VM_FULL or UNSUPPORTED
   */
  addMemory(memoryMiB: number): Promise<void>;
  /** Ends the machine at once, and fulfils when nothing is left of it. Never rejects. */
  kill(): Promise<MachineExit>;
  /**
   * Finds out why the agent has not said hello: which stage of the start failed, with the evidence.
   * @param waitedMs how long the caller waited
   * @returns the error to report: VM_DIED, VM_KERNEL_SILENT, VM_KERNEL_PANIC, VM_IMAGE_WRONG, VM_AGENT_FAILED, VM_AGENT_SILENT, VM_STALLED
   */
  diagnose(waitedMs: number): Promise<RunvError>;
}

export interface Driver {
  /** The word for `--driver`. */
  readonly name: string;
  /** One line for `runv check`. */
  readonly summary: string;
  /** What it can do with the newest hypervisor; a machine says what it can do with the one that is installed. */
  readonly capabilities: Capabilities;
  /**
   * What network interfaces are made of: "tap": the caller's taps. "link": the driver makes them itself, by `addNic` only. With either,
   * "user" may be refused.
   */
  readonly nics: "tap" | "link";
  /** What of the guest's kernel its network interfaces take: virtio_net unless told. */
  readonly nicModules?: readonly string[];
  /** The architecture of its guests; this machine's, if undefined. */
  readonly architecture?: Architecture;
  /** The only architecture of hosts that it is for; any, if undefined. */
  readonly host?: Architecture;
  /** How its guests mount the share. */
  readonly guestMount: GuestMount;
  /** Whether it is worth a `probe` where nobody has asked for this driver; it is, if undefined. Looks at one file at most. */
  readonly conceivable?: () => boolean;
  /** Looks at this machine; quick enough to be asked before each start. Never rejects. */
  probe(): Promise<Probe>;
  /**
   * Starts a machine and returns as soon as the hypervisor answers; the guest's kernel is booting then.
   * When it fails nothing is left behind.
   * @throws RunvError VM_QEMU_MISSING, VM_QEMU_START, VM_QEMU_TIMEOUT, VM_DRIVER_UNAVAILABLE, VM_FORK
   */
  launch(spec: MachineSpec): Promise<Machine>;
  /** Looks closely at what this machine offers it, for `runv check`; may take a second. Never rejects. */
  check(): Promise<readonly Finding[]>;
  /**
   * Ends a machine whose process here was killed, and removes what it left on the host; only where it could still be there then: what is
   * no child of this process. `launch` has noted it (`orphans.ts`). Nothing happens when it is gone.
   * @param name that of its `MachineSpec`
   * @throws RunvError when it cannot be ended
   */
  endOrphan?(name: string): Promise<void>;
}

/** One line of `runv check`. */
export interface Finding {
  /** `missing` fails the check; `warning` is what some feature wants. */
  status: "ok" | "missing" | "warning";
  subject: string;
  /** What was found: one line. */
  detail: string;
  /** The command or step that mends it. */
  fix?: string;
}

/**
 * What the administrator or the caller chose for the drivers, by the keys of their settings. `cacheDirectory`: where to keep what is costly
 * to find out, if not in /var/lib/runv/cache. `usualShare`: how files reach a guest of a driver that has a choice, where `share` says
 * nothing: what "auto" came to (`usual-share.ts`).
 */
export type DriverOptions = Readonly<Record<string, string | undefined>>;

/** A choice that a driver leaves to others: a key of /etc/runv/config.toml, and where it has one a flag of runv's. */
export interface DriverSetting {
  key: string;
  /** `path`: an absolute one. */
  kind: "path" | "text";
  /** The words that it can be; all, if undefined. */
  choices?: readonly string[];
  flag?: string;
  /** One line for the help. */
  usage: string;
}

/** The drivers of one folder. Loading it costs little: what a driver is made of is loaded when it is used. */
export interface DriverFamily {
  settings: readonly DriverSetting[];
  drivers(options: DriverOptions): readonly Driver[];
}
