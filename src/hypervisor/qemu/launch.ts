/** Starts QEMU and waits until it answers. */
import { closeSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import { O_NONBLOCK } from "../../linux/constants";
import { memoryFile } from "../../linux/memory-file";
import { architecture } from "../../linux/syscalls";
import { socketPair } from "../../linux/unix-socket";
import type { Program } from "../../program/program";
import { type ConsoleLog, pipedConsole } from "../console";
import type { Capabilities, Machine, MachineSpec } from "../driver";
import { inside, jailEntries } from "../jail";
import { failureOf } from "../spawn-program";
import { identifyQemu } from "./binary";
import { type Child, inherited, startChild } from "./child";
import { confine } from "./confine";
import { copiedMemory, copyMemory } from "./copied-memory";
import { requireMemoryFile } from "./hotplug";
import { kernelHint, kernelRefused } from "./kernel-words";
import { QemuMachine } from "./machine";
import { restore } from "./migration";
import { openVhost } from "./nic";
import { type Accelerator, qemuArguments, tapOf } from "./options";
import { readPreload } from "./preload";
import { type AcceleratorChoice, chooseAccelerator, type QemuOptions } from "./probe";
import { Qmp } from "./qmp";
import { counterKHz } from "./tsc";
import type { QemuVersion } from "./version";
import { reportsFreePages } from "./versions";
import { prepareVirtioFs, type VirtioFs, type VirtioFsOptions } from "./virtio-fs";
import { readNotes, sizesOf, type WholeNotes } from "./whole";

export interface LaunchOptions extends QemuOptions {
  driver: string;
  accelerator: AcceleratorChoice;
  capabilities: Capabilities;
  /** The share is served over virtiofs; over 9p if undefined. */
  virtiofs?: VirtioFsOptions;
  /** It is served over virtio-fs by what is loaded into QEMU. */
  ownServer?: boolean;
}

/** What says itself why a machine that was saved cannot be taken up. */
const ownWords = /^(CHECKPOINT_|VM_QMP_REFUSED$)/;

/** `Driver.launch` of the QEMU drivers. */
export async function launch(asked: MachineSpec, options: LaunchOptions): Promise<Machine> {
  const { accelerator, problem } = chooseAccelerator(options.accelerator);
  if (problem !== undefined) throw unavailable(options.driver, problem.message);
  const { path, version } = await identifyQemu(options.qemu, options.cacheDirectory, options.guests);
  const whole = asked.saved && readNotes(asked.saved.notes, version, accelerator, asked.nic);
  const as: MachineSpec = whole === undefined ? asked : { ...asked, ...sizesOf(whole) };
  const spec = accelerator === "tcg" ? withoutVhost(as) : as;
  // That of a clone is its template's file, but where virtiofsd has to have a copy.
  if (options.virtiofs !== undefined || (options.ownServer === true && spec.memory === undefined))
    requireMemoryFile(spec.memoryMiB);
  const virtiofs = options.virtiofs && prepareVirtioFs(spec, options.virtiofs);
  const server = virtiofs?.server;
  const memory = whole && copyMemory(asked.saved!.memory, whole.memoryMiB);
  // QEMU's end and the server's.
  const pair = options.ownServer === true && servesGuest(spec) ? socketPair(0) : undefined;
  try {
    const program = jailed(spec, path, accelerator, version, virtiofs, options.ownServer === true, whole);
    const { child, console } = start(program, spec, virtiofs?.memory ?? memory, virtiofs, pair);
    const { driver } = options;
    const capabilities = capabilitiesOf(options, accelerator, version, virtiofs !== undefined);
    const sharesMemory = virtiofs !== undefined || options.ownServer === true;
    const machine = new QemuMachine(child, {
      ...{ driver, accelerator, capabilities, spec, console },
      ...{ server, sharesMemory, binary: path },
    });
    try {
      await machine.attach((onEvent) =>
        Qmp.connect({ fd: child.qmp }, { onEvent, timeoutMs: spec.startTimeoutMs ?? 60_000 }),
      );
      if (spec.restore !== undefined && whole !== undefined) {
        await machine.takeUp(spec.restore, spec.saved!.disks, whole, version);
      } else if (spec.restore !== undefined) {
        await restore(machine.qmp, spec.restore, version);
        const connection = server?.fd ?? pair?.[0];
        if (connection !== undefined) await machine.plugShare(spec.share!.tag, connection);
      }
      return machine;
    } catch (error) {
      if (whole !== undefined && error instanceof RunvError && ownWords.test(error.code)) {
        child.kill();
        await child.exited;
        throw error;
      }
      throw await notStarted(child, spec, program, error);
    }
  } catch (error) {
    server?.kill();
    await server?.exited;
    throw error;
  } finally {
    for (const own of [server?.fd, virtiofs?.memory, memory, ...(pair ?? [])]) if (own !== undefined) closeSync(own);
  }
}

/** Whether guests are of this machine's architecture: an emulated processor has its counter then. */
const isOurs = ({ architecture: guests = architecture }: MachineSpec): boolean =>
  guests === architecture && guests === "x86_64";

/** Whether a machine's share is there before it is saved, which it cannot be with that device. */
function servesGuest({ share, memory }: MachineSpec): boolean {
  return share !== undefined && memory?.write !== true;
}

/**
 * The host's kernel, where it carries the frames of a network interface, is bound to the process for which it does: that of a machine from
 * which others are forked. It would save little: the guest is what takes the time.
 */
function withoutVhost(spec: MachineSpec): MachineSpec {
  const tap = spec.nic && tapOf(spec.nic.backend);
  return tap === undefined ? spec : { ...spec, nic: { ...spec.nic!, backend: { tap: tap.tap } } };
}

/** What a machine can do with this QEMU. A machine in KVM is bound to its process, and virtiofsd to the one with which it speaks. */
function capabilitiesOf(
  { capabilities }: LaunchOptions,
  accelerator: Accelerator,
  version: QemuVersion,
  hasServer: boolean,
): Capabilities {
  const fork = capabilities.fork && accelerator === "tcg" && !hasServer;
  return { ...capabilities, fork, freePageReporting: reportsFreePages(version) };
}

/** The program that becomes QEMU in its jail. */
function jailed(
  spec: MachineSpec,
  binary: string,
  accelerator: Accelerator,
  version: QemuVersion,
  virtiofs: VirtioFs | undefined,
  ownServer: boolean,
  whole: WholeNotes | undefined,
): Program {
  const { share, saved: _, ...machine } = spec;
  const { kernel, initrd, restore, forks } = spec;
  const served = virtiofs === undefined ? share : undefined;
  const file = virtiofs?.memory === undefined ? spec.memory : undefined;
  const args = qemuArguments({
    ...machine,
    kernel: inside.kernel,
    initrd: inside.initrd,
    ...(served && !ownServer && { share: { ...served, path: inside.share } }),
    ...(share &&
      (virtiofs?.server || (ownServer && servesGuest(spec))) &&
      restore === undefined && { share: { tag: share.tag } }),
    ...(spec.memory && { memory: file === undefined ? copiedMemory : { ...file, path: inside.memory } }),
    ...(whole && { memory: copiedMemory }),
    sharesMemory: virtiofs !== undefined || ownServer,
    ...(whole && { saved: whole }),
    version,
    accelerator,
    // One that is restored has been told.
    ...(accelerator === "tcg" && restore === undefined && isOurs(spec) && { counterKHz: counterKHz() }),
    descriptors: inherited,
  });
  return confine({
    parent: process.pid,
    directory: spec.directory,
    entries: jailEntries(
      {
        ...{ kernel, initrd },
        ...(restore !== undefined && { restore }),
        ...(forks !== undefined && { forks }),
        ...(served && { share: served }),
        ...(file && { memory: file }),
      },
      binary,
      accelerator === "kvm" ? ["/dev/kvm"] : [],
    ),
    // Translated code is a little of the much that QEMU asks huge pages for. With KVM they are the guest's memory.
    smallPages: accelerator === "tcg",
    command: [binary, ...args],
    servesFiles: virtiofs === undefined,
    hasRouter: spec.nic?.backend === "user",
    forks: spec.forks !== undefined,
  });
}

function start(
  program: Program,
  { directory, nic, restore, forks }: MachineSpec,
  memory: number | undefined,
  virtiofs: VirtioFs | undefined,
  pair: readonly [number, number] | undefined,
): { child: Child; console: ConsoleLog } {
  try {
    const { log, writing } = pipedConsole(directory, O_NONBLOCK);
    const preload = memoryFile("runv-preload", readPreload());
    const { tap, vhost: wantsVhost } = (nic && tapOf(nic.backend)) ?? {};
    const vhost = wantsVhost === true ? openVhost() : undefined;
    try {
      const { server } = virtiofs ?? {};
      // A clone gets its share later.
      const share = restore === undefined ? (server?.fd ?? pair?.[0]) : undefined;
      const own = { console: writing, preload, tap, vhost, share, memory, listener: forks, server: pair?.[1] };
      return { child: startChild(program, own), console: log };
    } finally {
      for (const own of [writing, preload, vhost]) if (own !== undefined) closeSync(own);
    }
  } catch (error) {
    throw new RunvError("VM_QEMU_START", `start qemu: ${messageOf(error)}`, { cause: error });
  }
}

/** Why QEMU does not answer: it ended, with words on its standard error, or it hangs. It is gone when this is fulfilled. */
async function notStarted(child: Child, spec: MachineSpec, program: Program, cause: unknown): Promise<RunvError> {
  const ended = await Promise.race([child.exited, Bun.sleep(200).then(() => undefined)]);
  child.kill();
  const { stderr: said } = await child.exited;
  const stderr = said.replaceAll(`'${inside.kernel}'`, spec.kernel).replaceAll(`'${inside.initrd}'`, spec.initrd);
  const words = stderr === "" ? "" : `: ${stderr}`;
  if (ended === undefined) {
    return new RunvError("VM_QEMU_TIMEOUT", `qemu was started and does not answer${words}`, { cause });
  }
  const failure = failureOf(program, ended.code, stderr);
  if (failure !== undefined) {
    return new RunvError("VM_QEMU_START", `start qemu: ${failure.message}`, { cause: failure });
  }
  if (kernelRefused.test(stderr)) {
    const message = `${spec.kernel} is no kernel that QEMU can start${words}`;
    return new RunvError("VM_KERNEL_FORMAT", message, { cause, hint: kernelHint });
  }
  const how = ended.signal ?? `exit code ${ended.code}`;
  return new RunvError("VM_QEMU_START", `qemu would not start (${how})${words}`, { cause });
}

function unavailable(driver: string, why: string): RunvError {
  return new RunvError("VM_DRIVER_UNAVAILABLE", `the driver ${driver} does not work on this machine: ${why}`, {
    hint: "use --driver auto, or see runv check",
  });
}
