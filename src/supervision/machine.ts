/** A daemon's connection to the machine of a container: it watches its memory, asks what it uses, and sees it end. */
import { messageOf } from "../base/error";
import { log } from "../base/log";
import { within } from "../base/within";
import { othersIn } from "../container/making/pod";
import { initOf, openContainer } from "../container/record/open";
import { endStopped } from "../container/record/stopped";
import { type ContainerRecord, tryReadRecord } from "../container/record/store";
import { statFiles } from "../container/stats";
import { decodeCgroupFiles, readCgroupFiles } from "../guest/cgroup-files";
import { ping } from "../guest/ping";
import { killAll } from "../guest/signal";
import { followMemory } from "../guest/watch-memory";
import { SIGKILL } from "../linux/signals";
import { SandboxClient } from "../sandbox/client";
import { controlSocket, sandboxDirectory } from "../sandbox/paths";
import { silent } from "../sandbox/silence";

/** How long a container's last words and its machine's end may take; then it is killed. */
const patienceMs = 10_000;
/** How long a guest may take to answer a client that waits. */
const answerTimeoutMs = 10_000;

export class ContainerMachine {
  #watched: Promise<void> = Promise.resolve();

  private constructor(
    private readonly root: string,
    private readonly id: string,
    private readonly client: SandboxClient,
  ) {}

  /**
   * Connects to the machine of a container. It lives at least until `end`, or until this daemon dies.
   * @param onOom told how many processes the end of memory has cost, at first and whenever it has become more
   * @throws RunvError SANDBOX_GONE
   */
  static async of(
    root: string,
    { id, sandbox }: ContainerRecord,
    onOom: (kills: number) => void,
  ): Promise<ContainerMachine> {
    const client = await SandboxClient.connect({ unix: controlSocket(sandboxDirectory(root, sandbox)) });
    const machine = new ContainerMachine(root, id, client);
    try {
      await client.hold();
    } catch (error) {
      client.close();
      throw error;
    }
    machine.#watched = followMemory(client.guest, id, onOom).catch((error: unknown) => log.debug(messageOf(error)));
    return machine;
  }

  /** What the container uses: the files of its cgroup. @throws RunvError GUEST_SILENT and others */
  async usage(): Promise<Map<string, string>> {
    const { record } = openContainer(this.root, this.id);
    const files = await within(
      answerTimeoutMs,
      this.client.guest.call(readCgroupFiles(this.id, initOf(record), statFiles)),
    );
    if (files === undefined) throw silent();
    return decodeCgroupFiles(files, statFiles);
  }

  /** Asks the guest whether it is there. @throws RunvError GUEST_SILENT when it does not answer in time */
  async answers(): Promise<void> {
    if (
      (await within(
        answerTimeoutMs,
        ping(this.client.guest).then(() => true),
      )) === undefined
    )
      throw silent();
  }

  /** Kills what runs in the container still; in a guest that does not answer, its end does. */
  async kill(): Promise<void> {
    const record = tryReadRecord(this.root, this.id);
    if (record !== undefined && othersIn(this.root, record).length === 0) endStopped(record);
    await atMost(
      patienceMs,
      this.client.guest.call(killAll(this.id, SIGKILL)).catch(() => {}),
    );
  }

  /** Waits for the last word on its memory, and for the machine's end when nobody else is in it. */
  async end(): Promise<void> {
    await atMost(patienceMs, this.#watched);
    try {
      const { record } = openContainer(this.root, this.id);
      await this.client.letGo();
      if (othersIn(this.root, record).length === 0) await atMost(patienceMs, this.client.closed);
    } catch {
      // It has gone already.
    } finally {
      this.client.close();
    }
  }
}

/** Waits for a promise, but no longer than so long. */
export async function atMost(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
