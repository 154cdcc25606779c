import { hostname } from "node:os";
import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import { within } from "../base/within";
import { decodeHello, Guest, type Hello, type Send } from "../guest/guest";
import { type Host, loadModules, prepareGuest } from "../guest/prepare";
import { followChanges } from "../guest/share-changes";
import type { Driver, Machine, MachineSpec } from "../hypervisor/driver";
import { type Architecture, architecture } from "../linux/syscalls";
import { prepareNetwork } from "../network/spare-nic";
import { translate } from "../program/translate";
import { type Frame, FrameType, maxFromGuest, protocolVersion, stdinWindow } from "../wire/frame";
import { type FrameHandlers, FrameStream } from "../wire/frame-stream";

/** How long a guest may take to say hello, unless told. A kernel under TCG on a busy machine takes some seconds. */
const helloTimeoutMs = 60_000;

/** Most that may wait for a guest, which may stand still for a while: stdin's windows of as many processes as it has, and programs. */
const mostUnsent = 4096 * stdinWindow + (32 << 20);

/** The name by which a guest mounts what the host shares with it. */
export const shareTag = "share";

/** A machine whose guest is ready for containers. */
export interface Sandbox {
  machine: Machine;
  /** The channel to the guest's agent. */
  agent: FrameStream;
  /** Sends a frame over it. */
  send: Send;
  /** Runs the monitor's own programs in the guest. */
  guest: Guest;
  hello: Hello;
  /** That of its guest. */
  architecture: Architecture | undefined;
  /** The guest's name of the network device that is hidden from it. */
  hiddenNic: string | undefined;
  /** It is the clone of a template: the description of its memory is that's, as long as it does not write to it. */
  cloned?: boolean;
  /** It comes from a template whose clones can be forked, and nobody has started the process for that. */
  lacksProcess?: boolean;
}

/** Who takes what the guest says. */
export interface SandboxHandlers {
  /** The hypervisor runs; its guest does not answer yet. */
  started(machine: Machine): void;
  frame(frame: Frame): void;
  /** The guest has gone. */
  close(error?: Error): void;
  /** See `MachineSpec`. */
  settled?: Promise<void>;
}

/** The number of the client that the monitor itself is: handles 1 to 65535 are its own. */
export const monitorNumber = 0;

/** What is to be started. */
export interface BootPlan {
  driver: Driver;
  spec: MachineSpec;
  /** Of the kernel that it boots. */
  release: string;
  /** Files of the modules to load. */
  modules: readonly string[];
  handlers: SandboxHandlers;
}

/**
 * Gives a guest what it needs whatever it will be used for: it is done once for all that are cloned from it.
 * @returns the guest's name of the hidden network device
 */
export async function prepare(guest: Guest, { modules, spec }: BootPlan): Promise<string | undefined> {
  if (modules.length > 0) await guest.call(loadModules(modules));
  await guest.call(prepareGuest());
  return await prepareNetwork(guest, spec.nic);
}

/** What a driver's guest joins. */
export function hostOf({ driver: { guestMount }, release }: Pick<BootPlan, "driver" | "release">): Host {
  const { type, late } = guestMount;
  const share = { type, options: guestMount.options(release), ...(late !== undefined && { late }) };
  return { name: hostname(), tag: shareTag, share };
}

/** Has a guest that has joined the host follow what that changes, for as long as both are there, where the driver's guests do so. */
export function follow(guest: Guest, { driver }: BootPlan): void {
  if (driver.guestMount.tellsChanges !== true) return;
  // The end of the guest is its end, and others tell of that.
  guest.call(followChanges()).catch((error) => log.debug(`changes of the share are not followed: ${messageOf(error)}`));
}

/** The channel to a guest. */
export interface Connection {
  agent: FrameStream;
  send: Send;
  guest: Guest;
  /** What the guest says first; undefined when it ended before, or says something else. */
  greeted: Promise<Hello | undefined>;
}

/** Connects to the agent. @param spec what the machine was made of */
export async function connect(
  machine: Machine,
  { architecture: guests }: Pick<MachineSpec, "architecture">,
  handlers: Pick<SandboxHandlers, "frame" | "close">,
): Promise<Connection> {
  const { promise: greeted, resolve: greet } = Promise.withResolvers<Hello | undefined>();
  const fromGuest: FrameHandlers = {
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
  };
  const agent = new FrameStream(maxFromGuest, fromGuest, mostUnsent);
  const send: Send =
    guests === undefined || guests === architecture
      ? (...frame) => agent.send(...frame)
      : (type, process, payload, stream) =>
          agent.send(
            type,
            process,
            type === FrameType.run ? translate(payload!, architecture, guests) : payload,
            stream,
          );
  const guest = new Guest(send);
  const channel = await machine.connectAgent({
    data: (bytes) => agent.take(bytes),
    drain: () => agent.drain(),
    close: () => agent.end(),
  });
  agent.attach(channel);
  return { agent, send, guest, greeted };
}

/** Waits until the agent has said hello. @throws RunvError VM_…, IMAGE_PROTOCOL */
export async function greeting(machine: Machine, { greeted }: Connection, timeoutMs = helloTimeoutMs): Promise<Hello> {
  const hello = await within(timeoutMs, Promise.race([greeted, machine.exited.then(() => undefined)]));
  if (hello === undefined) throw await machine.diagnose(timeoutMs);
  if (hello.version !== protocolVersion) {
    const message = `the guest speaks version ${hello.version} of the guest protocol, this runv version ${protocolVersion}`;
    throw new RunvError("IMAGE_PROTOCOL", message, { hint: "make an image that fits: runv image build" });
  }
  return hello;
}
