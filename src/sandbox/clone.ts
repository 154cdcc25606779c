/** Machines that are clones of a template: memory mapped copy-on-write, devices restored. */
import { closeSync, copyFileSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { span } from "../base/trace";
import { commit, version } from "../base/version";
import { mountShare } from "../guest/prepare";
import { wake } from "../guest/wake";
import type { Machine } from "../hypervisor/driver";
import type { ImageManifest } from "../image/manifest";
import { nineP } from "../share/nine-p";
import { type BootPlan, connect, greeting, prepare, type Sandbox } from "./connect";
import { fingerprint, type Template, type TemplateFiles, TemplateStore, templateKey } from "./template-store";

/**
 * Starts a clone of the template for this shape of machine. Where there is none it is made first, unless somebody else is making
 * it.
 * @param directory where the templates are; undefined: none are wanted
 * @returns undefined when there is no template to be had: boot
 */
export async function startClone(
  plan: BootPlan,
  manifest: ImageManifest,
  directory: string | undefined,
): Promise<Sandbox | undefined> {
  if (directory === undefined || !plan.driver.capabilities.template) return undefined;
  const store = new TemplateStore(directory);
  const key = await span("template: find", () => shapeOf(plan, manifest));
  const template =
    store.find(key) ?? (await span("template: make", () => store.make(key, (files) => save(plan, files))));
  if (template === undefined) return undefined;
  try {
    return await clone(plan, template);
  } catch {
    // It does not come up: the next start makes another. This one boots, and tells what is wrong if that fails too.
    store.drop(key);
    return undefined;
  }
}

/** What clones must know of the machine that they were made from. */
type Notes = Pick<Sandbox, "hello" | "hiddenNic">;

/** All that a saved machine depends on. */
async function shapeOf({ driver, spec, modules }: BootPlan, manifest: ImageManifest): Promise<string> {
  const { binary, version: hypervisor, accelerator } = await driver.probe();
  const { kernel, initrd, cpus, memoryMiB, most, nic } = spec;
  return templateKey({
    runv: [version, commit],
    driver: [driver.name, binary, binary && fingerprint(binary), hypervisor, accelerator],
    kernel: [kernel, fingerprint(kernel)],
    initrd: [initrd, fingerprint(initrd), manifest.initSha256],
    shape: [cpus, memoryMiB, most, modules],
    nic: nic && [
      nic.mac,
      typeof nic.backend === "object" && "tap" in nic.backend ? nic.backend.vhost !== undefined : nic.backend,
    ],
  });
}

/** Boots a machine up to the point where clones go on, and saves it. It is gone when this is fulfilled. */
async function save(plan: BootPlan, files: TemplateFiles): Promise<Notes> {
  const { driver, spec, handlers } = plan;
  writeFileSync(files.memory, "", { mode: 0o600 });
  truncateSync(files.memory, spec.memoryMiB * 2 ** 20);
  const machine = await driver.launch({ ...spec, memory: { path: files.memory, write: true } });
  handlers.started(machine);
  try {
    const connection = await connect(machine, { frame: () => {}, close: () => {} });
    const hello = await greeting(machine, connection);
    const hiddenNic = await prepare(connection.guest, plan);
    await saveTo(machine, files.state);
    copyFileSync(machine.consoleLog, files.console);
    return { hello, hiddenNic };
  } finally {
    await machine.kill();
  }
}

async function saveTo(machine: Machine, path: string): Promise<void> {
  const fd = openSync(path, "w", 0o600);
  try {
    await machine.save(fd);
  } finally {
    closeSync(fd);
  }
}

/** Starts a machine where the template was saved, and makes it one of its own. */
async function clone({ driver, spec, handlers }: BootPlan, template: Template): Promise<Sandbox> {
  const state = openSync(template.state, "r");
  const memory = { path: template.memory, write: false };
  const restored = { ...spec, memory, restore: state };
  const machine = await span("hypervisor: start", () => driver.launch(restored)).finally(() => closeSync(state));
  handlers.started(machine);
  try {
    // The boot that its console would have shown.
    writeFileSync(machine.consoleLog, readFileSync(template.console), { flag: "a" });
    const { agent, guest } = await connect(machine, handlers);
    await span("guest: wake, mount the share", () => Promise.all([guest.call(wake()), guest.call(mountShare(nineP))]));
    return { machine, agent, guest, ...(template.notes as Notes) };
  } catch (error) {
    await machine.kill();
    throw error;
  }
}
