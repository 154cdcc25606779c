/** A process of a task, as containerd has it: from Create or Exec to Delete. */
import { formatTime, now, parseTime } from "../base/time";
import { type ExitRecord, exitFile, readExitFile } from "../container/record/store";
import type { Attended } from "../container/shim/attended";
import type { ShimHandle } from "../container/shim/spawn-shim";
import type { Identity } from "../linux/identity";
import type { Process } from "../oci/process";
import { type Timestamp, toTimestamp } from "../protobuf/timestamp";
import { ShimLink } from "../supervision/shim-link";
import type { StreamNames, Streams } from "./stdio";

/** What a process is said to have ended with whose shim was killed. */
const lostCode = 128 + 9;

/** How a process has ended, as containerd is told. */
export interface Exit {
  exit_status: number;
  exited_at: Timestamp;
}

export class TaskProcess {
  /** Fulfilled when its end is told. */
  readonly done: Promise<Exit>;
  readonly #done = Promise.withResolvers<Exit>();
  /** It was let go. */
  started = false;
  /** Fulfilled when no start of it is under way any more, and containerd is told of it. */
  starting: Promise<unknown> = Promise.resolve();
  #exit: Exit | undefined;
  #running: Running | undefined;
  /** Asked for before it ran. */
  #size: { rows: number; columns: number } | undefined;
  #closesStdin = false;

  /**
   * @param execId empty for a container's first
   * @param directory its own, where its shim listens and records its end
   * @param spec what it is to be, for one that is not its container's first
   */
  constructor(
    readonly execId: string,
    readonly names: StreamNames,
    readonly directory: string,
    readonly streams: Streams,
    readonly spec?: Process,
  ) {
    this.done = this.#done.promise;
  }

  /** What its shim is told. The process is not to outlive this one, which is never there again. */
  get attended(): Attended {
    return { directory: this.directory, ...this.streams.files, tied: true };
  }

  /** The pid of its shim, by which the host knows it; 0 while it has none. */
  get pid(): number {
    return this.#running?.shim.pid ?? 0;
  }

  /** How it ended; undefined until that is told. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** It is dead; its last output may not be delivered yet. */
  get isDead(): boolean {
    return this.#exit !== undefined || readExitFile(`${this.directory}/${exitFile}`) !== undefined;
  }

  /** Its shim and the connection to it. @throws Error while it has none */
  get running(): Running {
    if (this.#running === undefined) throw new Error("the process does not run");
    return this.#running;
  }

  /** Takes its shim. @returns fulfilled when that has ended, and with it all output is delivered */
  run(handle: ShimHandle): Promise<ExitRecord> {
    const link = new ShimLink(this.directory, handle.identity);
    // The handle is kept: its connection is what the shim lives by.
    this.#running = { handle, link, shim: handle.identity };
    this.streams.opened();
    if (this.#size !== undefined) link.resize(this.#size.rows, this.#size.columns);
    if (this.#closesStdin) link.closeStdin();
    const lost = () => ({ code: lostCode, at: formatTime(now()) });
    return link.ended.then(() => readExitFile(`${this.directory}/${exitFile}`) ?? lost());
  }

  resize(rows: number, columns: number): void {
    this.#size = { rows, columns };
    this.#running?.link.resize(rows, columns);
  }

  closeStdin(): void {
    this.#closesStdin = true;
    this.#running?.link.closeStdin();
  }

  /** Notes how it has ended. @param tell tells containerd of it */
  end({ code, at }: Pick<ExitRecord, "code" | "at">, tell: (exit: Exit) => void): void {
    this.#exit = { exit_status: code, exited_at: toTimestamp(parseTime(at) ?? now()) };
    tell(this.#exit);
    this.#done.resolve(this.#exit);
  }
}

interface Running {
  handle: ShimHandle;
  link: ShimLink;
  shim: Identity;
}
