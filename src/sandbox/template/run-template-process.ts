/** `runv template-process`: holds a machine that has started and stands still, so that others are forked from it. */
import { closeSync, existsSync, openSync, readdirSync, renameSync, statSync, watch, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { messageOf } from "../../base/error";
import { log } from "../../base/log";
import type { TemplateSettings } from "../../base/settings";
import { leaveHost, wakeAndJoin } from "../../guest/prepare";
import { chooseDriver } from "../../hypervisor";
import type { Machine } from "../../hypervisor/driver";
import { availableMiB } from "../../linux/available-memory";
import { leaveCgroups } from "../../linux/cgroups";
import { CLONE_NEWNET } from "../../linux/constants";
import { identityOf } from "../../linux/identity";
import { syscall } from "../../linux/local";
import { idNamespaces } from "../../linux/namespaces";
import { setPriority } from "../../linux/processes";
import { listenForPackets } from "../../linux/unix-socket";
import { Networks } from "../../network/networks";
import { Share } from "../../share/share";
import { maxToGuest } from "../../wire/frame";
import { connectFrames } from "../../wire/frame-socket";
import { decodeJson } from "../../wire/frame-stream";
import { planBoot } from "../boot";
import { type BootPlan, connect, hostOf } from "../connect";
import { makeSandbox, newSandbox, removeSandbox } from "../paths";
import { walk } from "../pool/pool-unit";
import { shapeOf } from "./template";
import {
  dismissProcess,
  type ProcessTask,
  processFiles,
  processPrefix,
  takeLock,
  taskFrame,
  writeRecord,
} from "./template-process";
import { type Template, TemplateStore } from "./template-store";

/** How often the host's memory is looked at, and whether anybody still comes. */
const lookEveryMs = 5_000;
/** The nice value as long as nobody waits, and what the kernel is to kill first when memory runs out. */
const [lowest, firstToGo] = [19, "1000"];
/** Runs the process of a template until nobody needs it. @returns the exit code */
export async function runTemplateProcess(): Promise<number> {
  const task = await receiveTask();
  if (task?.templates === undefined) return 1;
  // Whoever is forked goes from here into its container's cgroups.
  leaveCgroups();
  goFirst();
  const usual = getPriority();
  setPriority(process.pid, lowest);
  const store = task.templates.directory;
  const directory = `${store}/${processPrefix}${process.pid}`;
  removeLeftovers(store);
  makeSandbox(directory);
  const share = new Share(`${directory}/share`);
  syscall("unshare", CLONE_NEWNET);
  try {
    await hold(task, task.templates, directory, share, usual);
    return 0;
  } finally {
    share.close();
    removeSandbox(directory);
  }
}

/** Where /proc cannot be written to, the kernel chooses among this process and others as it does. */
function goFirst(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", firstToGo);
  } catch (error) {
    log.info(`the kernel is not told to end the template's process first: ${messageOf(error)}`);
  }
}

/** Takes up the task. @returns undefined when whoever started this has gone before */
async function receiveTask(): Promise<ProcessTask | undefined> {
  const { promise, resolve } = Promise.withResolvers<ProcessTask | undefined>();
  await connectFrames({ fd: 3 }, maxToGuest, () => ({
    frame: ({ type, payload }) => type === taskFrame && resolve(decodeJson(payload) as ProcessTask),
    close: () => resolve(undefined),
  }));
  return await promise;
}

async function hold(
  task: ProcessTask,
  settings: TemplateSettings,
  directory: string,
  share: Share,
  usual: number,
): Promise<void> {
  const driver = await chooseDriver(task.driver, task.driverOptions);
  const networks = new Networks("new", driver.nics);
  const late: { machine?: Machine } = {};
  const started = (machine: Machine) => {
    late.machine = machine;
  };
  const handlers = { started, frame() {}, close() {} };
  const { plan, manifest } = await planBoot(task, driver, networks.firstNic(), directory, handlers);
  // As long as a sandbox's: who is forked from it writes its own name there.
  plan.spec.name = `runv-${newSandbox()}`;
  const { key } = await shapeOf(plan, manifest);
  const template = new TemplateStore(settings.directory, settings.budgetMiB).find(key);
  const files = template && processFiles(template.directory);
  const isOnly = files !== undefined && takeLock(files.lock) !== undefined;
  if (template === undefined || files === undefined || !isOnly) return;
  try {
    const who = { process: identityOf(process.pid)!, namespaces: idNamespaces() };
    writeRecord(files.record, who);
    const hidden = `${directory}/socket`;
    const notes = await prepare(plan, template, hidden, share);
    const { machine } = late;
    for (const pid of [process.pid, machine!.pid!]) setPriority(pid, usual);
    renameSync(hidden, files.socket);
    writeRecord(files.record, { ...who, notes });
    await untilUnneeded(machine!, template.directory, files, settings);
    if (existsSync(files.socket)) dismissProcess(template.directory);
  } catch (error) {
    // Clones of this template are not forked, and nobody tries again for a while.
    if (existsSync(template.directory)) writeRecord(files.record, { problem: messageOf(error) });
  } finally {
    await late.machine?.kill();
    networks.close();
    // The lock is held until this process ends.
  }
}

/** Starts a machine of a template, has it walk the way of a container, and stops it. @returns what clones must know */
async function prepare(
  { driver, spec, release, handlers }: BootPlan,
  template: Template,
  socket: string,
  share: Share,
): Promise<unknown> {
  const restore = openSync(template.state, "r");
  const forks = listenForPackets(socket);
  const memory = { path: template.memory, write: false };
  const machine = await driver.launch({ ...spec, memory, restore, forks }).finally(() => {
    closeSync(restore);
    closeSync(forks);
  });
  handlers.started(machine);
  const { guest } = await connect(machine, spec, { frame() {}, close() {} });
  const host = hostOf({ driver, release });
  await guest.call(wakeAndJoin(host));
  await walk(guest, share, spec.architecture);
  await guest.call(leaveHost(host));
  await machine.pause();
  return await machine.forkNotes();
}

/**
 * Fulfilled when nobody has come for a while, when the host needs the memory, or when the template or the machine has gone.
 * @param files its record is touched by whoever comes
 */
async function untilUnneeded(
  machine: Machine,
  template: string,
  { record, socket }: ReturnType<typeof processFiles>,
  { idleSeconds, reserveMiB }: TemplateSettings,
): Promise<void> {
  const { promise: unneeded, resolve } = Promise.withResolvers<void>();
  const look = () => {
    const touched = statSync(record, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    // Without its socket it was dismissed.
    if (!existsSync(socket) || Date.now() - touched > idleSeconds * 1000 || availableMiB() < reserveMiB) resolve();
  };
  const watcher = watch(template, look);
  const timer = setInterval(look, Math.min(lookEveryMs, idleSeconds * 1000));
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => resolve());
  void machine.exited.then(() => resolve());
  await unneeded;
  clearInterval(timer);
  watcher.close();
}

/** Removes what processes left that were killed. */
function removeLeftovers(store: string): void {
  for (const name of readdirSync(store)) {
    if (name.startsWith(processPrefix) && !existsSync(`/proc/${name.slice(processPrefix.length)}`))
      removeSandbox(`${store}/${name}`);
  }
}
