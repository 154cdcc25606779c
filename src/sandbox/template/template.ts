/** Templates: machines that were booted up to the point where clones go on, and saved. */
import { closeSync, copyFileSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { build, commit, version } from "../../base/version";
import type { Machine } from "../../hypervisor/driver";
import type { ImageManifest } from "../../image/manifest";
import { syscall } from "../../linux/local";
import { type BootPlan, connect, greeting, prepare, type Sandbox } from "../connect";
import { fingerprint, type Subject, type TemplateFiles } from "./template-description";
import { hasNoHoles } from "./template-room";
import { type Shape, templateKey } from "./template-store";

/** What clones must know of the machine that they were made from. */
export type Notes = Pick<Sandbox, "hello" | "hiddenNic">;

/** All that a saved machine depends on. */
export async function shapeOf({ driver, spec, modules }: BootPlan, manifest: ImageManifest): Promise<Shape> {
  const { binary, version: hypervisor, accelerator } = await driver.probe();
  const { kernel, initrd, cpus, memoryMiB, most, nic } = spec;
  const files = [kernel, initrd, ...(binary === undefined ? [] : [binary])];
  const sources = Object.fromEntries(files.map((path) => [path, fingerprint(path)]));
  const key = templateKey({
    runv: [version, commit, build],
    driver: [driver.name, hypervisor, accelerator],
    files: [files, sources, manifest.initSha256],
    shape: [cpus, memoryMiB, most, modules, driver.guestMount.type, driver.guestMount.server],
    nic: nic && [
      nic.mac,
      typeof nic.backend === "object" && "tap" in nic.backend ? nic.backend.vhost === true : nic.backend,
    ],
  });
  const subject: Subject = {
    runv: `${version} (${commit})`,
    driver: driver.name,
    accelerator: accelerator ?? "",
    hypervisor: hypervisor ?? "",
    kernel,
    initrd,
    cpus,
    memoryMiB,
    network: nic === undefined ? "none" : nic.backend === "user" ? "host" : "namespace",
  };
  return { key, subject, sources };
}

/** Boots a machine up to the point where clones go on, and saves it. It is gone when this is fulfilled. */
export async function save(plan: BootPlan, files: TemplateFiles): Promise<Notes> {
  const { driver, spec, handlers } = plan;
  writeFileSync(files.memory, "", { mode: 0o600 });
  truncateSync(files.memory, spec.memoryMiB * 2 ** 20);
  if (hasNoHoles(files.directory)) fill(files.memory, spec.memoryMiB * 2 ** 20);
  await spec.settled;
  const machine = await driver.launch({ ...spec, memory: { path: files.memory, write: true } });
  handlers.started(machine);
  try {
    const connection = await connect(machine, spec, { frame: () => {}, close: () => {} });
    const hello = await greeting(machine, connection, spec.startTimeoutMs);
    const hiddenNic = await prepare(connection.guest, plan);
    await saveTo(machine, files.state);
    copyFileSync(machine.consoleLog, files.console);
    return { hello, hiddenNic };
  } finally {
    await machine.kill();
  }
}

/** Has a file have all its bytes. @throws SystemError ENOSPC */
function fill(path: string, bytes: number): void {
  const fd = openSync(path, "r+");
  try {
    syscall("fallocate", fd, 0, 0, bytes);
  } finally {
    closeSync(fd);
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
