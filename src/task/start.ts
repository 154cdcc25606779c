/** `containerd-shim-runv-v2 start`: leaves a process behind that serves a task, and tells containerd where. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, type PackedError, RunvError, unpackError } from "../base/error";
import { isObject } from "../base/is-object";
import type { GlobalOptions } from "../base/settings";
import { startBackground } from "../sandbox/background";
import { TtrpcClient } from "../ttrpc/client";
import { maxToGuest } from "../wire/frame";
import { connectFrames } from "../wire/frame-socket";
import { decodeJson } from "../wire/frame-stream";
import { shimDirectory, socketOf } from "./places";
import type { PublisherOptions } from "./publisher";
import { type ServiceBegin, ServiceType } from "./shim-service";

export interface StartOptions {
  global: GlobalOptions;
  /** The task's. */
  id: string;
  /** Absolute. */
  bundle: string;
  debug: boolean;
  publisher: PublisherOptions;
  /** MAX_SHIM_VERSION of containerd's environment; undefined where it does not say. */
  mostVersion: string | undefined;
}

/** @returns what is to be written to standard output @throws RunvError */
export async function startShim(options: StartOptions): Promise<string> {
  const { global, id, bundle, publisher, mostVersion } = options;
  const { namespace, address } = publisher;
  const group = groupOf(bundle) ?? id;
  const directory = shimDirectory(global.root, address, namespace, group);
  const isThere = await answers(directory);
  if (isThere && group === id) throw new RunvError("CONTAINER_EXISTS", `a shim of ${id} runs already`);
  if (!isThere) await startService(options, directory);
  const answer = `unix://${socketOf(directory)}`;
  writeAddress(bundle, answer);
  return bootstrap(answer, mostVersion);
}

/** What containerd reads: until 1.6 the address alone, since 1.7 a document of a version that it knows. */
export function bootstrap(address: string, mostVersion: string | undefined): string {
  if (!/^\d{1,3}$/.test(mostVersion ?? "")) return address;
  const version = Math.min(3, Number(mostVersion));
  return version < 2 ? address : JSON.stringify({ version, address, protocol: "ttrpc" });
}

/** The container whose pod this one is in, as CRI tells. @throws RunvError BUNDLE_INVALID */
function groupOf(bundle: string): string | undefined {
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  } catch (cause) {
    throw new RunvError("BUNDLE_INVALID", `${bundle}/config.json: ${messageOf(cause)}`, { cause });
  }
  const annotations = isObject(config) && isObject(config.annotations) ? config.annotations : {};
  const sandbox = annotations["io.kubernetes.cri.sandbox-id"];
  return typeof sandbox === "string" && sandbox !== "" ? sandbox : undefined;
}

async function answers(directory: string): Promise<boolean> {
  try {
    const client = await TtrpcClient.connect(socketOf(directory));
    client.close();
    return true;
  } catch {
    return false;
  }
}

async function startService({ global, id, bundle, debug, publisher }: StartOptions, directory: string): Promise<void> {
  // One that was killed has left it.
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { namespace, address } = publisher;
  const shown = ["containerd-shim-runv-v2", "-namespace", namespace, "-id", id, "-address", address];
  const { socket } = startBackground(["task-service"], "ignore", shown);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stream = await connectFrames({ fd: socket }, maxToGuest, () => ({
    frame({ type, payload }) {
      if (type === ServiceType.ready) resolve();
      else if (type === ServiceType.failed) reject(unpackError(decodeJson(payload) as PackedError));
    },
    close: () => reject(new RunvError("SHIM_LOST", "the shim ended before its time")),
  }));
  const begin: ServiceBegin = { ...publisher, global, environment: process.env, directory, bundle, debug };
  stream.sendJson(ServiceType.begin, begin);
  try {
    await promise;
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  stream.close();
}

/** Where containerd until 1.7 looks when it is started again. */
function writeAddress(bundle: string, address: string): void {
  writeFileSync(`${bundle}/.address`, address, { mode: 0o644 });
  renameSync(`${bundle}/.address`, `${bundle}/address`);
}
