import { RunvError } from "../base/error";
import { decodeHello, Guest, type Hello } from "../guest/guest";
import { loadModules, prepareGuest } from "../guest/prepare";
import { chooseDriver } from "../hypervisor";
import type { Machine, Nic } from "../hypervisor/driver";
import type { ImageManifest } from "../image/manifest";
import { readImageManifest } from "../image/read-manifest";
import { networkModules } from "../network/guest-programs";
import { nineP } from "../share/nine-p";
import { type Frame, FrameType, maxFromGuest, protocolVersion } from "../wire/frame";
import { FrameStream } from "../wire/frame-stream";
import type { LaunchRequest } from "./messages";

/** How long a guest may take to say hello. A kernel under TCG on a busy machine takes some seconds. */
const helloTimeoutMs = 60_000;

/** A machine whose guest is ready for containers. */
export interface Sandbox {
  machine: Machine;
  /** The frames to and from the guest's agent. */
  agent: FrameStream;
  /** Runs the monitor's own programs in the guest. */
  guest: Guest;
  hello: Hello;
}

/** Who takes what the guest says. */
export interface SandboxHandlers {
  /** The hypervisor runs; its guest does not answer yet. */
  started(machine: Machine): void;
  frame(frame: Frame): void;
  /** The guest has gone. */
  close(error?: Error): void;
}

/** The number of the client that the monitor itself is: handles 1 to 65535 are its own. */
export const monitorNumber = 0;

/**
 * Starts a machine and makes its guest ready.
 * @param nic the network interface that the guest boots with
 * @param directory the sandbox's own, with the directory `share` in it
 * @throws RunvError VM_…, IMAGE_…; nothing is left behind then
 */
export async function boot(
  request: LaunchRequest,
  nic: Nic | undefined,
  directory: string,
  handlers: SandboxHandlers,
): Promise<Sandbox> {
  const manifest = readImageManifest(request.initrd);
  const driver = await chooseDriver(request.driver, { qemu: request.qemu });
  const machine = await driver.launch({
    name: `runv-${directory.slice(directory.lastIndexOf("/") + 1)}`,
    directory,
    kernel: request.kernel,
    initrd: request.initrd,
    cpus: request.cpus,
    memoryMiB: request.memoryMiB,
    share: { tag: nineP.source, path: `${directory}/share` },
    ...(nic && { nic }),
  });
  handlers.started(machine);
  try {
    const { agent, guest, hello } = await greet(machine, handlers);
    const modules = modulesFor(manifest, [...nineP.modules, ...networkModules]);
    if (modules.length > 0) await guest.call(loadModules(modules));
    await guest.call(prepareGuest(nineP));
    return { machine, agent, guest, hello };
  } catch (error) {
    await machine.kill();
    throw error;
  }
}

/** Connects to the agent and waits until it has said hello. */
async function greet(machine: Machine, handlers: SandboxHandlers): Promise<Omit<Sandbox, "machine">> {
  const { promise: greeted, resolve: greet } = Promise.withResolvers<Hello | undefined>();
  const agent = new FrameStream(maxFromGuest, {
    frame(frame) {
      if (frame.process === 0) greet(frame.type === FrameType.hello ? decodeHello(frame) : undefined);
      else if (frame.process >>> 16 === monitorNumber) guest.take(frame);
      else handlers.frame(frame);
    },
    close(error) {
      guest.lost();
      greet(undefined);
      handlers.close(error);
    },
  });
  const guest = new Guest((type, process, payload, stream) => agent.send(type, process, payload, stream));
  const channel = await machine.connectAgent({
    data: (bytes) => agent.take(bytes),
    drain: () => agent.drain(),
    close: () => agent.end(),
  });
  agent.attach(channel);
  const hello = await withTimeout(Promise.race([greeted, machine.exited.then(() => undefined)]), helloTimeoutMs);
  if (hello === undefined) throw await machine.diagnose(helloTimeoutMs);
  if (hello.version !== protocolVersion) {
    const message = `the guest speaks version ${hello.version} of the guest protocol, this runv version ${protocolVersion}`;
    throw new RunvError("IMAGE_PROTOCOL", message, { hint: "make an image that fits: runv image build" });
  }
  return { agent, guest, hello };
}

/** The files of these modules and all they need, in the order to load them; those built into the kernel need none. */
function modulesFor(manifest: ImageManifest, names: readonly string[]): string[] {
  const { extra } = manifest.modules;
  const paths = names.flatMap((name) => {
    const module = extra[name];
    return module === undefined ? [] : [...module.depends.map((needed) => extra[needed]!.path), module.path];
  });
  return [...new Set(paths)];
}

/** The promise's value, or undefined when it takes longer. */
async function withTimeout<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, milliseconds, undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
