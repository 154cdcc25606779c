/**
 * QEMU forked from another one whose machine stands still: with all that it has loaded, read and translated, and with its machine's
 * memory, copy-on-write. Under emulation most of a start is that. preload/fork.c does it; with KVM a machine is bound to its process.
 */
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { messageOf, RunvError } from "../../base/error";
import { followCgroups } from "../../linux/cgroups";
import { O_DIRECTORY, O_PATH, O_RDONLY, SOCK_SEQPACKET } from "../../linux/constants";
import { errnoText } from "../../linux/errno";
import { type Identity, identityOf } from "../../linux/identity";
import { syscall } from "../../linux/local";
import { signalProcess, waitForEnd } from "../../linux/processes";
import { sendWithDescriptors } from "../../linux/send-descriptor";
import { SIGKILL } from "../../linux/signals";
import { connectForPackets, socketPair } from "../../linux/unix-socket";
import { decodeU32, FrameType, maxFromGuest } from "../../wire/frame";
import { connectFrames } from "../../wire/frame-socket";
import type { ForkParent, MachineSpec } from "../driver";
import { lastWords } from "../last-words";
import type { Child } from "./child";
import { type ForkNotes, type ForkTemplate, fillProgram, noteOf, type SentKind } from "./fork-notes";
import { tapOf } from "./options";

/** How long a fork may take: it is done in milliseconds, one after the other where many ask at once. */
const forkTimeoutMs = 10_000;
/** How long the process may take to be gone, once it has let go of its sockets. */
const endTimeoutMs = 10_000;

/**
 * Forks a QEMU. Its machine stands still.
 * @param console where its guest's console is written to, which is the caller's
 * @throws RunvError VM_FORK; nothing is left then
 */
export async function forkChild(
  spec: MachineSpec,
  { socket, notes: given }: ForkParent,
  console: number,
): Promise<Child> {
  const notes = given as ForkNotes;
  const forks = socketPair(0, SOCK_SEQPACKET);
  const sockets = { qmp: socketPair(), agent: socketPair(), stderr: socketPair(), life: socketPair(), forks };
  const own: number[] = [];
  try {
    const keep = (fd: number): number => {
      own.push(fd);
      return fd;
    };
    const opened = {
      console,
      mounts: keep(openSync("/proc/thread-self/ns/mnt", "r")),
      root: keep(openSync("/", O_PATH | O_DIRECTORY)),
      network: keep(openSync("/proc/thread-self/ns/net", "r")),
      share: spec.share && keep(openSync(spec.share.path, O_RDONLY | O_DIRECTORY)),
    };
    const theirs = Object.fromEntries(Object.entries(sockets).map(([kind, [, their]]) => [kind, their]));
    const available: Partial<Record<SentKind, number | undefined>> = {
      ...opened,
      ...theirs,
      tap: spec.nic && tapOf(spec.nic.backend)?.tap,
    };
    const sent = notes.sent.map((kind) => available[kind]);
    if (!sent.every((fd) => fd !== undefined))
      throw new RunvError("VM_FORK", "the template's process has another network");
    const program = fillProgram(notes, {
      ...{
        directory: spec.directory,
        share: spec.share?.path ?? "",
        name: spec.name.slice(0, notes.nameLength),
      },
      ...{ umask: BigInt(process.umask()), nice: BigInt(getPriority()), affinity: affinity() },
    });
    const identity = await request(socket, notes, program, sent);
    const life = notes.life ?? notes.connection + 1 + notes.sent.indexOf("life");
    const settled = adopt(identity, spec.settled);
    settled.catch(() => {});
    return { ...childOf(identity, sockets), settled, forks: forks[0], life };
  } catch (error) {
    for (const [ours] of Object.values(sockets)) closeSync(ours);
    throw error instanceof RunvError
      ? error
      : new RunvError("VM_FORK", `fork qemu: ${messageOf(error)}`, { cause: error });
  } finally {
    for (const [, theirs] of Object.values(sockets)) closeSync(theirs);
    for (const fd of own) closeSync(fd);
  }
}

/** Asks for a process, and waits until it is what it is to be. */
async function request(
  parent: ForkParent["socket"],
  notes: ForkTemplate,
  program: Uint8Array,
  fds: readonly number[],
): Promise<Identity> {
  const socket = typeof parent === "number" ? parent : connectForPackets(parent);
  const { promise, resolve, reject } = Promise.withResolvers<Identity>();
  promise.catch(() => {});
  let identity: Identity | undefined;
  const stream = await connectFrames({ fd: socket }, maxFromGuest, () => ({
    frame({ type, payload }) {
      if (type === FrameType.output) {
        identity = identityOf(decodeU32(payload) ?? 0);
      } else if (type === FrameType.failed) reject(failureOf(notes, payload));
      else if (type === FrameType.done && identity !== undefined) resolve(identity);
    },
    close: (error) =>
      reject(new RunvError("VM_FORK", `fork qemu: ${error === undefined ? "the process has gone" : messageOf(error)}`)),
  }));
  const timer = setTimeout(
    () => reject(new RunvError("VM_FORK", `fork qemu: not done after ${forkTimeoutMs / 1000} s`)),
    forkTimeoutMs,
  );
  try {
    sendWithDescriptors(socket, program, fds);
    return await promise;
  } catch (error) {
    if (identity !== undefined) signalProcess(identity, SIGKILL);
    throw error;
  } finally {
    clearTimeout(timer);
    stream.close();
  }
}

function failureOf(notes: ForkTemplate, payload: Uint8Array): RunvError {
  const [index = 0, errno = 0] = [decodeU32(payload), decodeU32(payload, 1)];
  return new RunvError("VM_FORK", `${noteOf(notes, index)}: ${errnoText(errno)}`);
}

/**
 * A process that was just forked becomes one of this machine's: with its cgroups, as soon as this process is in them itself, and what the kernel thinks of
 * killing it. It need not be waited for: the kernel takes its time to move processes.
 */
async function adopt({ pid }: Identity, settled: Promise<void> | undefined): Promise<void> {
  await settled;
  try {
    followCgroups(pid);
    const [path, wanted] = [`/proc/${pid}/oom_score_adj`, readFileSync("/proc/self/oom_score_adj", "latin1")];
    if (readFileSync(path, "latin1") !== wanted) writeFileSync(path, wanted);
  } catch (cause) {
    throw new RunvError("VM_FORK", `move the forked qemu into the container's cgroups: ${messageOf(cause)}`, { cause });
  }
}

/** The process, of which this one is not the parent. */
function childOf(
  identity: Identity,
  { qmp, agent, stderr, life, forks }: Record<"qmp" | "agent" | "stderr" | "life" | "forks", [number, number]>,
): Child {
  const said = lastWords(Bun.file(stderr[0]).stream());
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const socket = { data() {}, close: () => resolve(), error: () => resolve() };
  Bun.connect({ fd: life[0], socket }).catch(() => resolve());
  const exited = gone.then(async () => {
    // It has let go of the socket: because it ended, or because it is not QEMU any more.
    signalProcess(identity, SIGKILL);
    waitForEnd(identity, endTimeoutMs);
    closeSync(forks[0]);
    return { code: null, signal: null, stderr: await said };
  });
  return { pid: identity.pid, qmp: qmp[0], agent: agent[0], exited, kill: () => void signalProcess(identity, SIGKILL) };
}

/** On which processors this process may run. */
function affinity(): Uint8Array {
  const mask = new Uint8Array(128);
  return mask.subarray(0, syscall("sched_getaffinity", 0, mask.length, mask));
}
