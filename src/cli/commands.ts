/**
 * Every command, in the order of the help. Each is loaded when it is called for: a runtime is started five times for
 * each container, so nobody pays for what others need.
 */
import { byChoice, byRecord, ofMachines } from "./by-driver";
import type { Command } from "./command";

type Load = () => Promise<Command>;

const table: Readonly<Record<string, Load>> = {
  create: async () =>
    (await import("./create")).create(
      byChoice(
        async () => (await import("../container/create")).createContainer,
        async () => (await import("../container/host/create")).createOnHost,
      ),
    ),
  start: async () =>
    (await import("./start")).start(
      byRecord(
        async () => (await import("../container/start")).startContainer,
        async () => (await import("../container/host/start")).startOnHost,
      ),
    ),
  run: async () =>
    (await import("./run")).run(
      byChoice(
        async () => (await import("../container/run")).runContainer,
        async () => (await import("../container/host/run")).runOnHost,
      ),
    ),
  exec: async () =>
    (await import("./exec")).exec(
      byRecord(
        async () => (await import("../container/exec")).execInContainer,
        async () => (await import("../container/host/exec")).execOnHost,
      ),
    ),
  state: async () => (await import("./state")).state(async (o) => (await import("../container/state")).showState(o)),
  list: async () => (await import("./list")).list(async (o) => (await import("../container/list")).listContainers(o)),
  ps: async () =>
    (await import("./ps")).ps(
      byRecord(
        async () => (await import("../container/ps")).listProcesses,
        async () => (await import("../container/host/ps")).listOnHost,
      ),
    ),
  kill: async () =>
    (await import("./kill")).kill(
      byRecord(
        async () => (await import("../container/kill")).killContainer,
        async () => (await import("../container/host/kill")).killOnHost,
      ),
    ),
  delete: async () =>
    (await import("./delete")).deleteContainer(
      byRecord(
        async () => (await import("../container/delete")).deleteContainer,
        async () => (await import("../container/host/delete")).deleteFromHost,
      ),
    ),
  pause: async () =>
    (await import("./pause")).pause(
      byRecord(
        async () => (await import("../container/pause")).pauseContainer,
        async () => (await import("../container/host/pause")).pauseOnHost,
      ),
    ),
  resume: async () =>
    (await import("./resume")).resume(
      byRecord(
        async () => (await import("../container/pause")).resumeContainer,
        async () => (await import("../container/host/pause")).resumeOnHost,
      ),
    ),
  branch: async () =>
    (await import("./branch")).branch(
      ofMachines("branch", async () => (await import("../container/branch")).branchContainer),
    ),
  update: async () =>
    (await import("./update")).update(
      byRecord(
        async () => (await import("../container/update")).updateContainer,
        async () => (await import("../container/host/update")).updateOnHost,
      ),
    ),
  events: async () =>
    (await import("./events")).events(
      byRecord(
        async () => (await import("../container/events")).showEvents,
        async () => (await import("../container/host/events")).showHostEvents,
      ),
    ),
  console: async () =>
    (await import("./console")).consoleLog(
      ofMachines("console", async () => (await import("../container/console-log")).showConsole),
    ),
  check: async () => (await import("./check")).check,
  interface: async () =>
    (await import("./interface")).interfaceCommand(
      ofMachines("interface", async () => (await import("../container/interface")).changeInterface),
    ),
  containerd: async () =>
    (await import("./containerd")).containerd(async (o) => (await import("../containerd/daemon")).runDaemon(o)),
  "containerd-shim": async () => (await import("./containerd-shim")).containerdShim,
  ctr: async () => (await import("./ctr/ctr")).ctr,
  spec: async () => (await import("./spec")).spec,
  features: async () => (await import("./features")).features,
  "install-docker": async () => (await import("./install-docker")).installDocker,
  "install-containerd": async () => (await import("./install-containerd")).installContainerd,
  image: async () => (await import("./image")).image,
  template: async () => (await import("./template")).template,
  pool: async () => (await import("./pool")).pool,
  checkpoint: async () => {
    const perform = () => import("../container/checkpoint");
    return (await import("./checkpoint")).checkpoint(
      ofMachines("checkpoint", async () => (await perform()).checkpointContainer),
      async (directory) => (await perform()).showCheckpoint(directory),
    );
  },
  restore: async () =>
    (await import("./restore")).restore(async (o) => (await import("../container/restore")).restoreContainer(o)),
  manage: async () => (await import("./manage")).manage,
  "template-process": async () => (await import("./template-process")).templateProcess,
  "pool-keeper": async () => (await import("./pool-keeper")).poolKeeper,
  "task-service": async () => (await import("./task-service")).taskService,
  monitor: async () => (await import("./monitor")).monitor,
  "late-output": async () => (await import("./late-output")).lateOutput,
  shim: async () => (await import("./shim")).shim,
};

/** The command of that name. */
export async function findCommand(name: string): Promise<Command | undefined> {
  return Object.hasOwn(table, name) ? await table[name]!() : undefined;
}

/** All of them, for the help. */
export function allCommands(): Promise<Command[]> {
  return Promise.all(Object.values(table).map((load) => load()));
}
