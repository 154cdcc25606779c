/**
 * virsh(1) at the other end of two pipes, for as long as a machine runs: what it is told on standard input it does, one line after the
 * other. The connection to libvirt is virsh's; what was created with --autodestroy ends with it, and so with this process.
 */
import type { FileSink } from "bun";
import { RunvError } from "../../base/error";
import { findProgram } from "../programs";
import { spawnTied } from "../tied";
import { clientHint, notConnected, refused, uriHint, wordsOf } from "./failure";

/** The oldest that connects to a virtiofsd that it has not started. */
export const oldest = "7.2.0";

/** What virsh says after each command; the command that makes it say so looks otherwise, for virsh may repeat it. */
const mark = "runv-done";
const sayMark = 'echo "runv-""done"';

const environment = ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "XDG_CACHE_HOME=/dev/null"];
const timeoutMs = 60_000;
/** How often libvirt is asked whether it has done something of which it tells nobody. */
const lookMs = 50;

export class Virsh {
  readonly #process: ReturnType<typeof start>;
  readonly #uri: string;
  readonly #decoder = new TextDecoder();
  #said = "";
  #heard: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #ended = false;
  /** Fulfilled when virsh has ended, or has lost its connection: what was tied to it is gone then. */
  readonly lost: Promise<void>;

  private constructor(uri: string) {
    this.#uri = uri;
    this.#process = start(uri);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.lost = promise;
    void this.#read().finally(() => {
      this.#ended = true;
      this.#heard?.();
      resolve();
    });
  }

  /**
   * Connects to libvirt, and looks whether it is new enough.
   * @throws RunvError VM_LIBVIRT_MISSING, VM_LIBVIRT_DAEMON, VM_LIBVIRT_URI, VM_LIBVIRT_DENIED, VM_LIBVIRT_OLD
   */
  static async connect(uri: string): Promise<{ virsh: Virsh; version: string }> {
    const virsh = new Virsh(uri);
    try {
      const said = await virsh.#say("version --daemon");
      const version = /Running against daemon: (\d+\.\d+\.\d+)/.exec(said)?.[1];
      if (version === undefined) throw notConnected(uri, said);
      const api = /Using API: (\S+)/.exec(said)?.[1];
      if (api !== "QEMU") {
        const message = `libvirt at ${uri} drives ${api}, and not QEMU`;
        throw new RunvError("VM_LIBVIRT_URI", message, { hint: uriHint });
      }
      if (compare(version, oldest) < 0) {
        const message = `libvirt at ${uri} is version ${version}, runv needs ${oldest} or later`;
        throw new RunvError("VM_LIBVIRT_OLD", message, { hint: "use the driver qemu" });
      }
      return { virsh, version };
    } catch (error) {
      virsh.close();
      throw error;
    }
  }

  /**
   * Has virsh do something.
   * @param words a command of virsh(1) and its arguments
   * @returns what it says
   * @throws RunvError VM_LIBVIRT_REFUSED, VM_LIBVIRT_DAEMON (it is gone), VM_LIBVIRT_TIMEOUT
   */
  run(...words: string[]): Promise<string> {
    const done = this.#turn.then(async () => {
      const said = await this.#say(words.map(quote).join(" "));
      if (wordsOf(said) !== "") throw refused(words[0]!, said);
      return said;
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Waits until libvirt has ended a machine that is ending, and has tidied up after it. */
  async awaitEnd(uuid: string): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      const known = await this.run("domstate", uuid).catch(() => undefined);
      if (known === undefined) return;
      await Bun.sleep(lookMs);
    }
  }

  /** Ends it. */
  close(): void {
    this.#process.kill("SIGKILL");
  }

  async #say(command: string): Promise<string> {
    if (this.#ended) throw notConnected(this.#uri, this.#said);
    this.#said = "";
    const stdin = this.#process.stdin as FileSink;
    stdin.write(`${command}\n${sayMark}\n`);
    await stdin.flush();
    const deadline = performance.now() + timeoutMs;
    while (!this.#said.includes(mark)) {
      if (this.#ended) throw notConnected(this.#uri, this.#said);
      await this.#more(deadline - performance.now());
      if (performance.now() > deadline) {
        const message = `libvirt: ${command.split(" ")[0]}: no answer within ${timeoutMs / 1000} s`;
        throw new RunvError("VM_LIBVIRT_TIMEOUT", message);
      }
    }
    return this.#said.slice(0, this.#said.indexOf(mark));
  }

  /** Waits until virsh says something or ends. */
  async #more(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    this.#heard = resolve;
    await promise;
    clearTimeout(timer);
  }

  async #read(): Promise<void> {
    for await (const chunk of this.#process.stdout as ReadableStream<Uint8Array>) {
      this.#said += this.#decoder.decode(chunk, { stream: true });
      this.#heard?.();
      // It would connect again by itself, to find its machine gone.
      if (this.#said.includes("error: Disconnected from")) break;
    }
  }
}

function start(uri: string) {
  const program = findProgram("virsh");
  if (program === undefined) throw new RunvError("VM_LIBVIRT_MISSING", "no virsh on PATH", { hint: clientHint });
  // Both of its outputs into one pipe, so that they stay in order.
  const command = ["/bin/sh", "-c", 'exec "$0" --quiet --connect "$1" 2>&1', program, uri];
  return spawnTied(command, ["pipe", "pipe", "ignore"], environment);
}

/** A word as virsh(1) reads it. */
function quote(word: string): string {
  return /^[\w./:=@+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

function compare(version: string, other: string): number {
  const [a, b] = [version, other].map((text) => text.split(".").map(Number)) as [number[], number[]];
  const different = a.findIndex((part, index) => part !== b[index]);
  return different < 0 ? 0 : a[different]! - b[different]!;
}
