/** Machines that are clones of a template: memory mapped copy-on-write, devices restored. */
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { messageOf } from "../base/error";
import { log } from "../base/log";
import type { TemplateSettings } from "../base/settings";
import { span } from "../base/trace";
import { wakeAndJoin } from "../guest/prepare";
import type { MachineSpec } from "../hypervisor/driver";
import type { ImageManifest } from "../image/manifest";
import { SystemError } from "../linux/local";
import { type BootPlan, connect, follow, hostOf, type Sandbox } from "./connect";
import { type Notes, save, shapeOf } from "./template/template";
import { costsTheTemplate, failedLately, noteProblem } from "./template/template-problem";
import { dismissProcess, findProcess, lacksProcess, noteUse } from "./template/template-process";
import { roomProblem, templateSizeMiB } from "./template/template-room";
import { type Shape, type Template, TemplateStore } from "./template/template-store";

/**
 * Starts a clone of the template for this shape of machine. Where there is none it is made first, unless somebody else is making
 * it.
 * @param templates where they are; undefined: none are wanted
 * @returns undefined when there is no template to be had: boot
 */
export async function startClone(
  plan: BootPlan,
  manifest: ImageManifest,
  templates: TemplateSettings | undefined,
): Promise<Sandbox | undefined> {
  if (templates === undefined || !plan.driver.capabilities.template) return undefined;
  const store = new TemplateStore(templates.directory, templates.budgetMiB);
  const shape = await span("template: find", () => shapeOf(plan, manifest));
  const { template, isNew } = await findOrMake(plan, store, shape);
  if (template === undefined) return undefined;
  const parent = templates.idleSeconds === 0 ? undefined : findProcess(template.directory);
  if (parent !== undefined) {
    try {
      const sandbox = await span("fork", () => clone(plan, template, { fork: parent }));
      noteUse(template.directory);
      return sandbox;
    } catch (error) {
      // The template itself may be good. A process that has gone is replaced by the next.
      log.warn(`the process of the template ${shape.key} is dismissed: ${messageOf(error)}`);
      quietly(() => dismissProcess(template.directory, isGone(error) ? undefined : messageOf(error)));
    }
  }
  const state = openSync(template.state, "r");
  try {
    const memory = { path: template.memory, write: false };
    const sandbox = await clone(plan, template, { memory, restore: state });
    const lacks = sandbox.machine.capabilities.fork && lacksProcess(template.directory, templates);
    return { ...sandbox, lacksProcess: lacks };
  } catch (error) {
    // It does not come up: the next start makes another, but where this one has just made it. This one boots, and tells what is wrong if that fails too.
    log.warn(`the template ${shape.key} is dropped: ${messageOf(error)}`);
    quietly(() => store.drop(shape.key));
    if (isNew)
      noteProblem(store.directory, shape.key, new Error(`what was saved does not come up: ${messageOf(error)}`));
    return undefined;
  } finally {
    closeSync(state);
  }
}

/**
 * The template for a shape of machine, made if need be.
 * @returns it, and whether it had to be made; none when somebody else is making it, or it cannot be made: the log says why
 * @throws RunvError VM_…, IMAGE_… of what would fail without a template, too
 */
async function findOrMake(
  plan: BootPlan,
  store: TemplateStore,
  shape: Shape,
): Promise<{ template?: Template | undefined; isNew?: boolean }> {
  const { memoryMiB } = plan.spec;
  const { directory } = store;
  try {
    const found = store.find(shape.key);
    if (found !== undefined) return { template: found };
    // An attempt is a boot beside the machine's own.
    if (failedLately(directory, shape.key)) return {};
    const problem = roomProblem(directory, templateSizeMiB(directory, memoryMiB), memoryMiB);
    if (problem === undefined) {
      const template = await span("template: make", () => store.make(shape, (files) => save(plan, files)));
      return { template, isNew: true };
    }
    log.warn(`no template is made, the machine boots: ${problem}`);
  } catch (error) {
    if (!costsTheTemplate(error)) throw error;
    log.warn(`no template is made, the machine boots: ${messageOf(error)}`);
    noteProblem(directory, shape.key, error);
  }
  return {};
}

/** What is only tidying up: where nothing can be written, all stays as it is. */
function quietly(action: () => void): void {
  try {
    action();
  } catch (error) {
    log.warn(messageOf(error));
  }
}

/** Whether there was nobody to fork: what nobody listens to refuses, or is not there. */
function isGone(error: unknown): boolean {
  const { cause } = error as Error;
  return cause instanceof SystemError && ["ECONNREFUSED", "ENOENT"].includes(cause.code);
}

/** Starts a machine where the template was saved, or where its process stands, and makes it one of its own. */
async function clone(
  plan: BootPlan,
  template: Template,
  from: Pick<MachineSpec, "memory" | "restore" | "fork">,
): Promise<Sandbox> {
  const { driver, spec, handlers } = plan;
  if (from.fork === undefined) await spec.settled;
  const machine = await span("hypervisor: start", () => driver.launch({ ...spec, ...from }));
  handlers.started(machine);
  try {
    // The boot that its console would have shown.
    writeFileSync(machine.consoleLog, readFileSync(template.console), { flag: "a" });
    const { agent, send, guest } = await connect(machine, spec, handlers);
    await span("guest: wake, join the host", () => guest.call(wakeAndJoin(hostOf(plan))));
    await machine.settled;
    follow(guest, plan);
    return { machine, agent, send, guest, architecture: spec.architecture, cloned: true, ...(template.notes as Notes) };
  } catch (error) {
    await machine.kill();
    throw error;
  }
}
