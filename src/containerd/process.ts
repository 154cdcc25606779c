/** A process of a container, as the daemon has it. */
import { formatTime, now } from "../base/time";
import type { ExitRecord } from "../container/record/store";
import { ShimLink } from "../supervision/shim-link";
import type { ProcessStore, StartedRecord } from "./process-store";

/** What a process is said to have ended with whose shim was killed. */
const lostCode = 128 + 9;

export class DaemonProcess {
  readonly link: ShimLink;
  /** How it ended, when its shim has: all its output is delivered then. */
  readonly exited: Promise<ExitRecord>;
  /** Its end has been told to clients. */
  told = false;

  /** @param record of a process whose shim runs, or has run */
  constructor(
    private readonly store: ProcessStore,
    readonly record: StartedRecord,
  ) {
    this.link = new ShimLink(store.directory(record), record.shim);
    this.exited = this.link.ended.then(() => this.exit ?? { code: lostCode, at: formatTime(now()) });
  }

  /** How it ended; undefined while it runs. Its output may not be delivered yet. */
  get exit(): ExitRecord | undefined {
    return this.store.exit(this.record);
  }

  /** Forgets it. */
  remove(): void {
    this.store.remove(this.record);
  }
}
