/**
 * Every command, in the order of the help. Each is loaded when it is called for: a runtime is started five times for
 * each container, so nobody pays for what others need.
 */
import type { Command } from "./command";

type Load = () => Promise<Command>;

const table: Readonly<Record<string, Load>> = {
  create: async () =>
    (await import("./create")).create(async (o) => (await import("../container/create")).createContainer(o)),
  start: async () =>
    (await import("./start")).start(async (o) => (await import("../container/start")).startContainer(o)),
  run: async () => (await import("./run")).run(async (o) => (await import("../container/run")).runContainer(o)),
  exec: async () => (await import("./exec")).exec(async (o) => (await import("../container/exec")).execInContainer(o)),
  state: async () => (await import("./state")).state(async (o) => (await import("../container/state")).showState(o)),
  list: async () => (await import("./list")).list(async (o) => (await import("../container/list")).listContainers(o)),
  ps: async () => (await import("./ps")).ps(async (o) => (await import("../container/ps")).listProcesses(o)),
  kill: async () => (await import("./kill")).kill(async (o) => (await import("../container/kill")).killContainer(o)),
  delete: async () =>
    (await import("./delete")).deleteContainer(async (o) => (await import("../container/delete")).deleteContainer(o)),
  pause: async () =>
    (await import("./pause")).pause(async (o) => (await import("../container/pause")).pauseContainer(o)),
  resume: async () =>
    (await import("./resume")).resume(async (o) => (await import("../container/pause")).resumeContainer(o)),
  branch: async () =>
    (await import("./branch")).branch(async (o) => (await import("../container/branch")).branchContainer(o)),
  update: async () =>
    (await import("./update")).update(async (o) => (await import("../container/update")).updateContainer(o)),
  events: async () =>
    (await import("./events")).events(async (o) => (await import("../container/events")).showEvents(o)),
  console: async () =>
    (await import("./console")).consoleLog(async (o) => (await import("../container/console-log")).showConsole(o)),
  check: async () => (await import("./check")).check,
  interface: async () =>
    (await import("./interface")).interfaceCommand(async (o) =>
      (await import("../container/interface")).changeInterface(o),
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
  checkpoint: async () => (await import("./refused")).checkpoint,
  restore: async () => (await import("./refused")).restore,
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
