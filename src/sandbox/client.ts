import { type PackedError, RunvError, unpackError } from "../base/error";
import type { GuestDisk } from "../guest/disks";
import { Guest } from "../guest/guest";
import type { GuestProcess, ProcessListener } from "../guest/process";
import type { MachineSize } from "../hypervisor/driver";
import type { InterfaceChange, InterfaceInfo } from "../network/interface-requests";
import { decodeU32, type Frame, maxToGuest } from "../wire/frame";
import { connectFrames, type SocketSource } from "../wire/frame-socket";
import { decodeJson, type FrameStream } from "../wire/frame-stream";
import {
  type BranchRequest,
  type ClaimRequest,
  ControlType,
  type DiskRequest,
  type Forked,
  type GoResult,
  type Joined,
  type LaunchRequest,
  type MachineInfo,
  type MemoryRequest,
  type PooledPids,
  type Reply,
  type Request,
  type RestoreRequest,
  type Saved,
  type SaveRequest,
  type ShareRequest,
  type Stood,
} from "./messages";

/** A connection to a monitor: its guest, and requests to the monitor itself. */
export class SandboxClient {
  /** Fulfilled when the connection has ended, as it does with the machine. */
  readonly closed: Promise<void>;
  readonly #stream: FrameStream;
  readonly #closed = Promise.withResolvers<void>();
  readonly #welcomed = Promise.withResolvers<void>();
  readonly #pending = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #guest: Guest | undefined;
  #next = 0;
  #gone: RunvError | undefined;

  private constructor(stream: FrameStream) {
    this.#stream = stream;
    this.closed = this.#closed.promise;
  }

  /**
   * Connects to a monitor.
   * @throws RunvError SANDBOX_GONE when there is none
   */
  static async connect(source: SocketSource): Promise<SandboxClient> {
    const client = await SandboxClient.open(source);
    await Promise.race([client.#welcomed.promise, client.closed]);
    if (client.#guest === undefined) throw client.#gone ?? gone();
    return client;
  }

  /**
   * Connects to a monitor that may still be starting: requests wait for it, and its guest is there when the first of them is answered.
   * @throws RunvError SANDBOX_GONE when there is none
   */
  static async open(source: SocketSource): Promise<SandboxClient> {
    const late: { client?: SandboxClient } = {};
    try {
      await connectFrames(source, maxToGuest, (stream) => {
        const client = new SandboxClient(stream);
        late.client = client;
        return { frame: (frame) => client.#take(frame), close: () => client.#lost() };
      });
    } catch (cause) {
      throw gone(cause);
    }
    return late.client!;
  }

  /** Runs programs in the machine's guest. */
  get guest(): Guest {
    if (this.#guest === undefined) throw gone();
    return this.#guest;
  }

  /** The same, once there is one. */
  get knownGuest(): Guest | undefined {
    return this.#guest;
  }

  /** Starts the machine, and waits until its guest is ready for containers. @throws RunvError VM_… */
  async launch(machine: Omit<LaunchRequest, "op">): Promise<MachineInfo> {
    return (await this.#request({ op: "launch", ...machine })) as MachineInfo;
  }

  /** Tells a monitor that it is in the cgroups in which its machine is to be. */
  async settled(): Promise<void> {
    await this.#request({ op: "settled" });
  }

  /** Forks the machine from another one that stands still. @throws RunvError VM_FORK, BRANCH_REFUSED */
  async branch(machine: Omit<BranchRequest, "op">): Promise<MachineInfo> {
    return (await this.#request({ op: "branch", ...machine })) as MachineInfo;
  }

  /** Has the machine stand still, with nothing under way, until others were forked from it, `goOn`, or the end of this connection. @param paused the container is, and stays so @throws RunvError CONTAINER_BUSY */
  async still(container: string, forks: number, paused: boolean): Promise<void> {
    await this.#request({ op: "still", container, forks, paused });
  }

  /** Has it go on. @returns how long it has stood */
  async goOn(): Promise<Stood> {
    return (await this.#request({ op: "go-on" })) as Stood;
  }

  /** Forks the machine, which stands still. @param fd a connection, of this process @throws RunvError VM_FORK, BRANCH_REFUSED */
  async fork(fd: number): Promise<Forked> {
    return (await this.#request({ op: "fork", pid: process.pid, fd })) as Forked;
  }

  /** What was forked is a machine of its own. Fulfilled when that from which it was goes on. */
  async forked(): Promise<void> {
    await this.#request({ op: "forked" });
  }

  /**
   * Saves the machine with its memory, and has it stand still until `goOn` or the end of this connection.
   * @param how its file is a descriptor of this process, open for writing
   * @throws RunvError CHECKPOINT_REFUSED, CONTAINER_BUSY, VM_SAVE
   */
  async save(how: Omit<SaveRequest, "op" | "pid">): Promise<Saved> {
    return (await this.#request({ op: "save", pid: process.pid, ...how })) as Saved;
  }

  /** Ends the machine, which was saved for this connection, as it stands; this connection ends with it. */
  async discard(): Promise<void> {
    try {
      await this.#request({ op: "discard" });
    } catch (error) {
      if (!(error instanceof RunvError && error.code === "SANDBOX_GONE")) throw error;
    }
  }

  /** Starts a machine that was saved; `fd` is of this process. @throws RunvError CHECKPOINT_…, VM_… */
  async restore(machine: Omit<RestoreRequest, "op" | "pid">): Promise<MachineInfo> {
    return (await this.#request({ op: "restore", pid: process.pid, ...machine })) as MachineInfo;
  }

  /** Lets the container run of a machine that was restored. @throws RunvError GUEST_… */
  async thaw(container: string): Promise<void> {
    await this.#request({ op: "thaw", container });
  }

  /** Starts the machine for the pool, and keeps it there until this connection ends. @throws RunvError VM_… */
  async pool(machine: Omit<LaunchRequest, "op">): Promise<PooledPids> {
    return (await this.#request({ op: "pool", ...machine })) as PooledPids;
  }

  /** Takes a machine of the pool. @throws RunvError POOL_TAKEN, SANDBOX_GONE */
  async claim(how: Omit<ClaimRequest, "op">): Promise<PooledPids> {
    return (await this.#request({ op: "claim", ...how })) as PooledPids;
  }

  /** Keeps the machine alive until this connection ends. */
  async hold(): Promise<void> {
    await this.#request({ op: "hold" });
  }

  /** Keeps the machine alive no longer; the connection ends with it. */
  async letGo(): Promise<void> {
    await this.#request({ op: "let-go" });
  }

  /** Puts a mount tree of this process into the share. */
  async share(tree: Omit<ShareRequest, "op" | "pid">): Promise<void> {
    await this.#request({ op: "share", pid: process.pid, ...tree });
  }

  /** Makes a tree of the share read-only, whatever the guest makes of it. @throws RunvError SHARE_SEAL */
  async seal(path: string): Promise<void> {
    await this.#request({ op: "seal", path });
  }

  /** Adds a disk, an open descriptor of this process. @returns the guest's device @throws RunvError UNSUPPORTED, VM_DISK, VM_QMP_… */
  async disk(disk: Omit<DiskRequest, "op" | "pid">): Promise<GuestDisk> {
    return (await this.#request({ op: "disk", pid: process.pid, ...disk })) as GuestDisk;
  }

  /** Has memory that the machine's containers share. @throws RunvError GUEST_CALL_FAILED */
  async memory(request: Omit<MemoryRequest, "op">): Promise<void> {
    await this.#request({ op: "memory", ...request });
  }

  /**
   * Joins a machine that runs already with a container, and keeps it alive until this connection ends.
   * @param namespace the container's network namespace, a descriptor of this process; undefined: it has the machine's own network
   * @throws RunvError GUEST_…
   */
  async join(container: string, namespace: number | undefined): Promise<Joined> {
    const given = namespace === undefined ? undefined : { pid: process.pid, fd: namespace };
    return (await this.#request({ op: "join", container, namespace: given })) as Joined;
  }

  /** Ends what is left in the machine of a container that is gone. */
  async forget(id: string): Promise<void> {
    await this.#request({ op: "forget", id });
  }

  /** Lets a stopped process go on. @returns what becomes of it */
  async go(handle: number): Promise<GoResult> {
    return (await this.#request({ op: "go", handle })) as GoResult;
  }

  /** Takes another client's process over. @returns it; undefined when all is said of it */
  async takeOver(handle: number, listener: ProcessListener): Promise<GuestProcess | undefined> {
    // What comes may come before the answer.
    const process = this.guest.adopt(handle, listener);
    return (await this.#request({ op: "take-over", handle })) === true ? process : undefined;
  }

  /** Gives the guest what a container's network namespace holds. @param complete what is not there now is not to be expected soon */
  async network(container: string, complete: boolean): Promise<void> {
    await this.#request({ op: "network", container, complete });
  }

  /** Lists or changes a container's network interfaces. @returns what there is then */
  async interfaces(container: string, change: InterfaceChange): Promise<InterfaceInfo[]> {
    return (await this.#request({ op: "interface", container, change })) as InterfaceInfo[];
  }

  /** Gives the machine at least this size. @returns what it has then @throws RunvError UNSUPPORTED, VM_FULL, VM_QMP_… */
  async grow(size: MachineSize): Promise<MachineSize> {
    return (await this.#request({ op: "grow", ...size })) as MachineSize;
  }

  /** Has the host's kernel say that a container was out of memory. @throws RunvError HOST_OOM */
  async outOfMemory(cgroup: readonly string[]): Promise<void> {
    await this.#request({ op: "outOfMemory", cgroup });
  }

  async info(): Promise<MachineInfo> {
    return (await this.#request({ op: "info" })) as MachineInfo;
  }

  /** Has all that is waited for fail, and whatever is asked from now on. */
  giveUp(error: RunvError): void {
    this.#gone = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#guest?.lost(error);
  }

  close(): void {
    this.#stream.close();
  }

  #request(request: Request): Promise<unknown> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const id = ++this.#next;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#stream.sendJson(ControlType.request, { id, request });
    });
  }

  #take(frame: Frame): void {
    if (frame.type === ControlType.reply) this.#answer(frame);
    else if (frame.type === ControlType.welcome) this.#welcome(decodeU32(frame.payload) ?? 0);
    else if (frame.type === ControlType.failed) this.giveUp(unpackError(decodeJson(frame.payload) as PackedError));
    else this.#guest?.take(frame);
  }

  #welcome(base: number): void {
    this.#guest ??= new Guest((type, process, payload, on) => this.#stream.send(type, process, payload, on), base);
    this.#welcomed.resolve();
  }

  #answer(frame: Frame): void {
    const reply = decodeJson(frame.payload) as Reply;
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("error" in reply) pending?.reject(unpackError(reply.error));
    else pending?.resolve(reply.result);
  }

  #lost(): void {
    if (this.#gone === undefined) this.giveUp(gone());
    this.#closed.resolve();
  }
}

function gone(cause?: unknown): RunvError {
  return new RunvError("SANDBOX_GONE", "the container's virtual machine is gone", {
    cause,
    hint: "'runv console ID' shows its last words while the container exists",
  });
}
