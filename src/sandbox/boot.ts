import { span } from "../base/trace";
import { joinHost } from "../guest/prepare";
import type { Driver, MachineSpec, Nic } from "../hypervisor/driver";
import type { ImageManifest } from "../image/manifest";
import { architecture } from "../linux/syscalls";
import { networkModules } from "../network/guest-programs";
import { startClone } from "./clone";
import {
  type BootPlan,
  connect,
  follow,
  greeting,
  hostOf,
  prepare,
  type Sandbox,
  type SandboxHandlers,
  shareTag,
} from "./connect";
import { manifestFor } from "./manifest-for";
import type { LaunchRequest } from "./messages";
import { modulesFor } from "./modules";
import { mostFor } from "./shape";

/**
 * Starts a machine, from a template if there is one or one can be made, and makes its guest ready.
 * @param nic the network interface that the guest boots with
 * @param directory the sandbox's own, with the directory `share` in it
 * @throws RunvError VM_…, IMAGE_…; nothing is left behind then
 */
export async function boot(
  request: Omit<LaunchRequest, "op">,
  driver: Driver,
  nic: Nic | undefined,
  directory: string,
  handlers: SandboxHandlers,
): Promise<Sandbox> {
  const { plan, manifest } = await planBoot(request, driver, nic, directory, handlers);
  return (await startClone(plan, manifest, request.templates)) ?? (await startCold(plan));
}

/** Finds out what is to be started. @throws RunvError VM_…, IMAGE_… */
export async function planBoot(
  request: Omit<LaunchRequest, "op">,
  driver: Driver,
  nic: Nic | undefined,
  directory: string,
  handlers: SandboxHandlers,
): Promise<{ plan: BootPlan; manifest: ImageManifest }> {
  const { label, title, kernel, initrd, cpus, memoryMiB, startTimeoutMs } = request;
  const guests = driver.architecture ?? architecture;
  const manifest = manifestFor(guests, initrd);
  // One of the pool's is `<shape>/<key>.<id>`.
  const name = `runv-${/[^/.]*$/.exec(directory)![0]}`;
  const share = { tag: shareTag, path: `${directory}/share` };
  const most = mostFor({ cpus, memoryMiB });
  const spec: MachineSpec = {
    ...{ name, directory, kernel, initrd, architecture: guests, cpus, memoryMiB, most, share },
    ...(label !== undefined && { label }),
    ...(title !== undefined && { title }),
    ...(nic && { nic }),
    ...(startTimeoutMs !== undefined && { startTimeoutMs }),
    ...(handlers.settled && { settled: handlers.settled }),
  };
  const network = driver.nicModules ?? networkModules;
  const modules = modulesFor(manifest, [...driver.guestMount.modules, ...network]);
  return { plan: { driver, spec, release: manifest.kernelRelease, modules, handlers }, manifest };
}

/** Boots a kernel, and makes the guest ready. */
async function startCold(plan: BootPlan): Promise<Sandbox> {
  const { driver, spec, handlers } = plan;
  await spec.settled;
  const machine = await span("hypervisor: start", () => driver.launch(spec));
  handlers.started(machine);
  try {
    const connection = await connect(machine, spec, handlers);
    const hello = await span("guest: boot", () => greeting(machine, connection, spec.startTimeoutMs));
    const hiddenNic = await span("guest: prepare", () => prepare(connection.guest, plan));
    await span("guest: join the host", () => connection.guest.call(joinHost(hostOf(plan))));
    follow(connection.guest, plan);
    return { machine, ...connection, hello, architecture: spec.architecture, hiddenNic };
  } catch (error) {
    await machine.kill();
    throw error;
  }
}
