/** The API's calls: what each does with the containers of a daemon. */

import { RunvError } from "../base/error";
import type { GlobalOptions } from "../base/settings";
import { commit } from "../base/version";
import { killContainer } from "../container/kill";
import { pauseContainer, resumeContainer } from "../container/pause";
import { updateContainer } from "../container/update";
import { SIGKILL } from "../linux/signals";
import { signalFurther } from "../supervision/signal";
import type { Answer, CallName, Request } from "./api/service";
import { createCheckpoint, deleteCheckpoint, listCheckpoints } from "./checkpoints";
import { describe, describeMachine } from "./describe";
import { initName } from "./process-store";
import { processFinished, Refusal, Status } from "./refusal";
import { describeStats } from "./stats";
import type { Supervisor } from "./supervisor";
import { limitsOf } from "./update-request";

/** The version of the API that is served, which is containerd's. */
const apiVersion = { major: 0, minor: 2, patch: 5 };
const highestSignal = 64;

export type Handlers = {
  readonly [N in Exclude<CallName, "Events">]: (request: Request<N>) => Promise<Answer<N>>;
};

export function handlers(supervisor: Supervisor, global: GlobalOptions): Handlers {
  return {
    GetServerVersion: async () => ({ ...apiVersion, revision: commit }),
    Check: async () => ({ status: 1 }),

    async CreateContainer(request) {
      return { container: describe(await supervisor.create(request), false) };
    },

    async AddProcess(request) {
      await supervisor.exec(request);
      return {};
    },

    async State({ id }) {
      await supervisor.settled(id);
      const containers = id === "" ? supervisor.containers : [supervisor.find(id)];
      return { containers: containers.map((container) => describe(container, true)), machine: describeMachine() };
    },

    async Signal({ id, pid, signal }) {
      const container = supervisor.find(id);
      const process = container.process(pid);
      const { link, exit } = process;
      if (signal > highestSignal) throw new Refusal("invalid argument");
      // What is left of a dead one is output that nobody takes: SIGKILL is for that, too.
      if (exit !== undefined && signal !== SIGKILL) throw processFinished();
      if (exit !== undefined) link.signal(signal);
      else if (pid !== initName) await signalFurther(await container.machine(), link, process.record.shim, signal);
      else await signalInit(global, id, signal);
      return {};
    },

    async UpdateProcess({ id, pid, closeStdin, width, height }) {
      const { link } = supervisor.find(id).process(pid);
      if (closeStdin) link.closeStdin();
      if (width > 0 || height > 0) link.resize(height, width);
      return {};
    },

    async UpdateContainer({ id, status, resources }) {
      supervisor.find(id);
      if (status === "paused" || status === "running") {
        await (status === "paused" ? pauseContainer : resumeContainer)({ global, id });
        supervisor.events.append({ type: status === "paused" ? "pause" : "resume", id });
      } else if (status !== "") {
        throw new Refusal("containerd: unknown container status");
      } else if (resources !== null) {
        await updateContainer({ global, id, file: undefined, limits: limitsOf(resources) });
      }
      return {};
    },

    async Stats({ id }) {
      const machine = await supervisor.find(id).machine();
      return describeStats(await machine.usage());
    },

    async CreateCheckpoint({ id, ...request }) {
      await createCheckpoint(global, supervisor.find(id), request);
      return {};
    },

    async DeleteCheckpoint({ id, name, checkpointDir }) {
      if (name === "") throw new Refusal("checkpoint name cannot be empty");
      deleteCheckpoint(supervisor.find(id).init.container.bundle, checkpointDir, name);
      return {};
    },

    async ListCheckpoint({ id, checkpointDir }) {
      const found = supervisor.containers.find((container) => container.id === id);
      if (found === undefined) throw new Refusal("no such containers", Status.notFound);
      return listCheckpoints(found.init.container.bundle, checkpointDir);
    },
  };
}

async function signalInit(global: GlobalOptions, id: string, signal: number): Promise<void> {
  try {
    await killContainer({ global, id, signal, all: false });
  } catch (error) {
    if (!(error instanceof RunvError && error.code === "CONTAINER_NOT_RUNNING")) throw error;
    throw processFinished();
  }
}
