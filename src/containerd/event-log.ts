/**
 * What happened to containers, in the order in which clients are told. It is kept in a file, so that those who were away, or whose
 * daemon was, are told later: one line of JSON for each event.
 */
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { fileProblem } from "../base/file-problem";
import { log } from "../base/log";
import { formatTime, now, parseTime } from "../base/time";

export type EventType = "start-container" | "start-process" | "exit" | "pause" | "resume" | "oom";

export interface Event {
  type: EventType;
  /** The container's. */
  id: string;
  /** The process's name; empty for what is of the whole container. */
  pid: string;
  /** The exit code, for an exit. */
  status: number;
  /** In nanoseconds since 1970; later than that of every event before. */
  at: bigint;
  /** Which process it is about, exactly: names are used again. Of the end of memory: the container's first. */
  key: string;
  /** How many of the container's processes the end of memory had cost by then, for `oom`. */
  oomKills?: number;
}

/** How many events are kept. containerd keeps 500. */
const retained = 4096;

export class EventLog {
  readonly #path: string;
  #fd: number | undefined;
  #events: Event[];
  /** The number of the first event that is kept, counted from the start of this process. */
  #first = 0;
  /** How many lines the file has. */
  #lines = 0;
  /** The file lacks an event, or has half of one. */
  #torn = false;
  readonly #listeners = new Set<() => void>();

  /** Reads the log, or begins one. @throws RunvError STATE_UNWRITABLE */
  constructor(path: string) {
    this.#path = path;
    this.#events = readEvents(path).slice(-retained);
    this.#rewrite();
  }

  /** The number of the next event. */
  get end(): number {
    return this.#first + this.#events.length;
  }

  /** The event of that number; undefined when it is not kept any more, or not there yet. */
  at(number: number): Event | undefined {
    return this.#events[number - this.#first];
  }

  /** The number of the first event after a moment. */
  after(moment: bigint): number {
    const index = this.#events.findIndex(({ at }) => at > moment);
    return index < 0 ? this.end : this.#first + index;
  }

  /** Whether there is an event of that type about a process. */
  has(type: EventType, key: string): boolean {
    return this.#events.some((event) => event.type === type && event.key === key);
  }

  /** How many processes of a container the end of memory has cost, as far as it was told. */
  oomKills(key: string): number {
    return this.#events.findLast((event) => event.type === "oom" && event.key === key)?.oomKills ?? 0;
  }

  /** Adds an event, and tells the listeners. @param at when it happened, now if it is not said */
  append({ at = now(), pid = "", status = 0, key = "", ...event }: Partial<Event> & Pick<Event, "type" | "id">): void {
    const last = this.#events.at(-1)?.at ?? 0n;
    // Clients ask for what came after an event that they know: no two are of the same moment.
    const full: Event = { ...event, pid, status, key, at: at > last ? at : last + 1n };
    this.#events.push(full);
    this.#write(full);
    if (this.#events.length > retained) {
      this.#events.shift();
      this.#first++;
    }
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after each new event. @returns a function that ends this */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  #write(event: Event): void {
    try {
      if (this.#torn || this.#lines >= 2 * retained) this.#rewrite();
      else this.#append(event);
    } catch (error) {
      // The next event writes all that is kept.
      if (!this.#torn) log.error(`write ${this.#path}: ${messageOf(error)}`);
      this.#torn = true;
    }
  }

  #append(event: Event): void {
    writeAllSync(this.#fd!, line(event));
    this.#lines++;
  }

  /** Writes what is kept into a new file, which is appended to from then on. */
  #rewrite(): void {
    const next = `${this.#path}.new`;
    let fd: number | undefined;
    try {
      fd = openSync(next, "w", 0o600);
      writeAllSync(fd, this.#events.map(line).join(""));
      renameSync(next, this.#path);
    } catch (cause) {
      if (fd !== undefined) closeSync(fd);
      rmSync(next, { force: true });
      throw new RunvError("STATE_UNWRITABLE", `write ${this.#path}: ${fileProblem(cause)}`, { cause });
    }
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = fd;
    this.#lines = this.#events.length;
    this.#torn = false;
  }
}

/** A full disk may take a part (write(2)). */
function writeAllSync(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function line({ at, ...event }: Event): string {
  return `${JSON.stringify({ ...event, timestamp: formatTime(at) })}\n`;
}

/** The events of a file. A line that a full disk or a crash has cut off is none. */
function readEvents(path: string): Event[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => {
    try {
      const { timestamp, ...event } = JSON.parse(line) as Omit<Event, "at"> & { timestamp: string };
      const at = parseTime(timestamp);
      return at === undefined ? [] : [{ ...event, at }];
    } catch {
      return [];
    }
  });
}
