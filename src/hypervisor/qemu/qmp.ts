/**
 * The QEMU Machine Protocol: JSON in lines, both ways. QEMU greets, capabilities are negotiated, then each command has one
 * answer, and events come in between.
 *
 * @see https://www.qemu.org/docs/master/interop/qmp-spec.html
 */
import { messageOf, RunvError } from "../../base/error";
import { escapeControls } from "../../base/escape";
import { sendWithDescriptors } from "../../linux/send-descriptor";
import { LineReader } from "./lines";

/** A command that QEMU refused. `qmpClass` is QEMU's word for the kind: GenericError, CommandNotFound, DeviceNotFound… */
export class QmpError extends RunvError {
  constructor(
    readonly command: string,
    readonly qmpClass: string,
    description: string,
  ) {
    super("VM_QMP_REFUSED", `qemu: ${command}: ${escapeControls(description)}`);
  }
}

/**
 * A connected descriptor, which this process gives away, or the path of a socket. `greeted`: QEMU has greeted somebody else already, who
 * negotiated with it.
 */
export type QmpAddress = { fd: number; greeted?: boolean } | { unix: string };

export interface QmpEvent {
  event: string;
  data: Readonly<Record<string, unknown>>;
}

export interface QmpOptions {
  /** How long QEMU may take to greet, and to answer a command; 10 s unless told. */
  timeoutMs?: number;
  onEvent?: (event: QmpEvent) => void;
}

interface Pending {
  command: string;
  timer: ReturnType<typeof setTimeout>;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The longest line that is read: `query-qmp-schema` answers with 200 kB. */
const maxLine = 4 << 20;

interface Wire {
  write(text: string): number;
  terminate(): void;
}

export class Qmp {
  readonly #timeoutMs: number;
  readonly #onEvent: ((event: QmpEvent) => void) | undefined;
  readonly #lines = new LineReader(maxLine);
  readonly #pending = new Map<number, Pending>();
  readonly #closed = Promise.withResolvers<void>();
  #wire: Wire | undefined;
  /** The socket, when it was given as a descriptor. */
  #fd: number | undefined;
  #unsent = "";
  readonly #flushed: (() => void)[] = [];
  #next = 1;
  #greeting: Pending | undefined;
  #failure: RunvError | undefined;

  private constructor(options: QmpOptions) {
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#onEvent = options.onEvent;
  }

  /**
   * Connects, waits for the greeting and leaves negotiation mode: when this is fulfilled, QEMU's machine is made and runs.
   * @throws RunvError VM_QMP_CLOSED, VM_QMP_TIMEOUT, VM_QMP_PROTOCOL, VM_QMP_REFUSED
   */
  static async connect(address: QmpAddress, options: QmpOptions = {}): Promise<Qmp> {
    const qmp = new Qmp(options);
    if ("fd" in address) qmp.#fd = address.fd;
    const greeted = "fd" in address && address.greeted === true;
    const greeting = qmp.#expect("greeting", qmp.#timeoutMs, (pending) => {
      qmp.#greeting = pending;
    });
    greeting.catch(() => {});
    const socket = {
      data: (_: unknown, bytes: Uint8Array) => qmp.#take(bytes),
      drain: () => qmp.#flush(),
      close: () => qmp.#fail(new RunvError("VM_QMP_CLOSED", "qemu closed its control channel")),
      error: (_: unknown, error: Error) => qmp.#fail(lost(error)),
    };
    try {
      qmp.#wire =
        "fd" in address
          ? await Bun.connect({ fd: address.fd, socket })
          : await Bun.connect({ unix: address.unix, socket });
    } catch (error) {
      qmp.#fail(lost(error));
    }
    if (greeted) {
      qmp.#greeting?.resolve(undefined);
      return qmp;
    }
    try {
      await greeting;
      await qmp.execute("qmp_capabilities");
    } catch (error) {
      qmp.close();
      throw error;
    }
    return qmp;
  }

  /** Fulfilled when the channel is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Executes a command.
   * @param timeoutMs how long to wait for the answer
   * @param descriptor goes with it, for `getfd`
   * @returns what QEMU returned, which is checked by nobody: QEMU's word
   * @throws QmpError when QEMU refuses; RunvError VM_QMP_TIMEOUT, VM_QMP_CLOSED
   */
  async execute<T = unknown>(
    command: string,
    args?: Readonly<Record<string, unknown>>,
    timeoutMs = this.#timeoutMs,
    descriptor?: number,
  ): Promise<T> {
    while (descriptor !== undefined && this.#unsent !== "")
      await new Promise<void>((resolve) => this.#flushed.push(resolve));
    if (this.#failure !== undefined) throw this.#failure;
    const id = this.#next++;
    const answer = this.#expect(command, timeoutMs, (pending) => this.#pending.set(id, pending));
    const line = `${JSON.stringify({ execute: command, ...(args && { arguments: args }), id })}\n`;
    if (descriptor === undefined) this.#unsent += line;
    else this.#sendWith(line, descriptor);
    this.#flush();
    try {
      return (await answer) as T;
    } finally {
      this.#pending.delete(id);
    }
  }

  /** Closes the channel. Commands under way fail with VM_QMP_CLOSED. */
  close(): void {
    this.#fail(new RunvError("VM_QMP_CLOSED", "the control channel of qemu was closed"));
  }

  #expect(command: string, timeoutMs: number, keep: (pending: Pending) => void): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      reject(new RunvError("VM_QMP_TIMEOUT", `qemu: ${command}: no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    keep({
      command,
      timer,
      resolve(value) {
        clearTimeout(timer);
        resolve(value);
      },
      reject(error) {
        clearTimeout(timer);
        reject(error);
      },
    });
    return promise;
  }

  #take(bytes: Uint8Array): void {
    try {
      this.#lines.push(bytes, (line) => this.#message(parse(line)));
    } catch (error) {
      this.#fail(error instanceof RunvError ? error : lost(error));
    }
  }

  #message(message: Record<string, unknown>): void {
    if ("QMP" in message) {
      this.#greeting?.resolve(message.QMP);
      this.#greeting = undefined;
    } else if (typeof message.event === "string") {
      this.#onEvent?.({ event: message.event, data: record(message.data) });
    } else if (typeof message.id === "number") {
      // An answer that comes after its time is up finds nobody.
      const pending = this.#pending.get(message.id);
      if (pending === undefined) return;
      if ("return" in message) pending.resolve(message.return);
      else {
        const { class: kind, desc } = record(message.error);
        pending.reject(new QmpError(pending.command, String(kind), String(desc)));
      }
    }
  }

  /** Sends a line and a descriptor; nothing else waits to be sent. */
  #sendWith(line: string, descriptor: number): void {
    if (this.#fd === undefined)
      throw new RunvError("VM_QMP_CLOSED", "the control channel of qemu takes no descriptors");
    const bytes = Buffer.from(line);
    const taken = sendWithDescriptors(this.#fd, bytes, [descriptor]);
    this.#unsent = bytes.subarray(taken).toString();
  }

  #flush(): void {
    if (this.#wire === undefined || this.#unsent === "") return;
    const bytes = Buffer.from(this.#unsent);
    const taken = Math.max(0, this.#wire.write(this.#unsent));
    this.#unsent = taken === bytes.length ? "" : bytes.subarray(taken).toString();
    if (this.#unsent === "") for (const resume of this.#flushed.splice(0)) resume();
  }

  #fail(error: RunvError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#greeting?.reject(error);
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    for (const resume of this.#flushed.splice(0)) resume();
    this.#wire?.terminate();
    this.#closed.resolve();
  }
}

function lost(error: unknown): RunvError {
  return new RunvError("VM_QMP_CLOSED", `the control channel of qemu: ${messageOf(error)}`, { cause: error });
}

function parse(line: string): Record<string, unknown> {
  try {
    return record(JSON.parse(line));
  } catch (cause) {
    throw new RunvError("VM_QMP_PROTOCOL", `qemu sent what is no JSON: ${escapeControls(line.slice(0, 80))}`, {
      cause,
    });
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
