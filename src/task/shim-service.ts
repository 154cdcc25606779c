/** The process that serves a task, or the tasks of a pod: `start` leaves it behind. */
import { constants, mkdirSync, openSync, rmSync } from "node:fs";
import { messageOf, packError } from "../base/error";
import { log, openLog } from "../base/log";
import { commandVariable } from "../base/own-command";
import type { GlobalOptions } from "../base/settings";
import { trimWhenSettled } from "../base/trim";
import { atMost } from "../supervision/machine";
import { listen } from "../ttrpc/server";
import { maxToGuest } from "../wire/frame";
import { connectFrames } from "../wire/frame-socket";
import { decodeJson } from "../wire/frame-stream";
import { whenAbandoned } from "./abandoned";
import { rootOf, socketOf } from "./places";
import { Publisher, type PublisherOptions } from "./publisher";
import { taskService } from "./service";

/** What `start` says to it, over the socket that it inherits as descriptor 3; and what it answers. */
export const ServiceType = {
  /** JSON: `ServiceBegin`. */
  begin: 96,
  /** None. */
  ready: 97,
  /** JSON: `PackedError`. */
  failed: 98,
} as const;

export interface ServiceBegin extends PublisherOptions {
  /** As `start` was called. */
  global: GlobalOptions;
  environment: Record<string, string | undefined>;
  /** The shim's own directory. */
  directory: string;
  /** The first task's. */
  bundle: string;
  debug: boolean;
}

const startSocket = 3;
/** How long containerd may take to hear the last events, when it wants this process to end. */
const lastWordsMs = 2_000;

/** Serves until containerd wants no more. @returns the exit code */
export async function runShimService(): Promise<number> {
  const ended = Promise.withResolvers<number>();
  let started = false;
  await connectFrames({ fd: startSocket }, maxToGuest, (stream) => ({
    frame({ type, payload }) {
      if (type !== ServiceType.begin) return;
      try {
        serve(decodeJson(payload) as ServiceBegin, (code) => ended.resolve(code));
        started = true;
        stream.send(ServiceType.ready, 0);
      } catch (error) {
        stream.sendJson(ServiceType.failed, packError(error, "SHIM_FAILED"));
      }
      stream.close();
    },
    close: () => {
      if (!started) ended.resolve(1);
    },
  }));
  return await ended.promise;
}

function serve(plan: ServiceBegin, end: (code: number) => void): void {
  const { global, environment, directory, bundle, debug, namespace } = plan;
  const { [commandVariable]: _, ...own } = environment;
  // Hooks and loggers have what containerd has.
  delete process.env[commandVariable];
  Object.assign(process.env, own);
  trimWhenSettled();
  const descriptor = openPipe(`${bundle}/log`);
  openLog({ debug, ...(descriptor !== undefined && { descriptor }) });
  const root = rootOf(global.root, namespace);
  mkdirSync(root, { recursive: true, mode: 0o711 });
  const publisher = new Publisher(plan);
  let count = 0;
  const onShutdown = () => {
    // After the answer.
    void atMost(lastWordsMs, publisher.settled()).then(() => {
      server.stop();
      rmSync(directory, { recursive: true, force: true });
      end(0);
    });
  };
  const service = taskService({
    global: { ...global, root, debug: global.debug || debug },
    namespace,
    publisher,
    directory,
    newDirectory() {
      const path = `${directory}/p${count++}`;
      mkdirSync(path, { mode: 0o700 });
      return path;
    },
    onShutdown,
  });
  const server = listen(socketOf(directory), service.serve);
  whenAbandoned(
    () => service.hasTasks() || server.clients > 0,
    () => {
      log.warn("containerd has asked for no task: the shim ends");
      onShutdown();
    },
  );
}

/** containerd's end of it comes and goes: both ends are opened, and nothing waits. */
function openPipe(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    log.debug(messageOf(error));
    return undefined;
  }
}
