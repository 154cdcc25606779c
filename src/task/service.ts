/** The calls of `containerd.task.v2.Task`, and of v3, which differs in nothing but its name. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../base/error";
import { isObject } from "../base/is-object";
import { log } from "../base/log";
import type { GlobalOptions } from "../base/settings";
import { checkpointContainer } from "../container/checkpoint";
import { pauseContainer, resumeContainer } from "../container/pause";
import { updateContainer } from "../container/update";
import { parseJson } from "../oci/json";
import { readDocument } from "../oci/mismatch";
import { process as processReader } from "../oci/process";
import { CallRefused, Status } from "../ttrpc/refusal";
import type { Serve } from "../ttrpc/server";
import { codec, type Message, type Received } from "./messages";
import { metricsOf } from "./metrics";
import { readCheckpointOptions, readOptions, withCgroups } from "./options";
import { invalid, noTask, refusalOf } from "./refused";
import { Task, type TaskOptions } from "./task";

/** What the calls ask and answer. */
const calls = {
  State: ["StateRequest", "StateResponse"],
  Create: ["CreateTaskRequest", "CreateTaskResponse"],
  Start: ["StartRequest", "StartResponse"],
  Delete: ["DeleteRequest", "DeleteResponse"],
  Pids: ["IdRequest", "PidsResponse"],
  Pause: ["IdRequest", "Empty"],
  Resume: ["IdRequest", "Empty"],
  Checkpoint: ["CheckpointTaskRequest", "Empty"],
  Kill: ["KillRequest", "Empty"],
  Exec: ["ExecProcessRequest", "Empty"],
  ResizePty: ["ResizePtyRequest", "Empty"],
  CloseIO: ["CloseIORequest", "Empty"],
  Update: ["UpdateTaskRequest", "Empty"],
  Wait: ["WaitRequest", "WaitResponse"],
  Stats: ["IdRequest", "StatsResponse"],
  Connect: ["IdRequest", "ConnectResponse"],
  Shutdown: ["ShutdownRequest", "Empty"],
} as const;

type Calls = typeof calls;
type Handlers = {
  [N in keyof Calls]: (request: Received<Calls[N][0]>) => Promise<Message<Calls[N][1]>> | Message<Calls[N][1]>;
};

const services = ["containerd.task.v2.Task", "containerd.task.v3.Task"];

export interface ServiceOptions extends Omit<TaskOptions, "global"> {
  global: GlobalOptions;
  /** The shim's own directory. */
  directory: string;
  /** Called when there is nothing to serve any more. */
  onShutdown(): void;
}

export interface TaskService {
  serve: Serve;
  /** Whether it has a task, or makes one: it has none yet. */
  hasTasks(): boolean;
}

/** What serves the calls. */
export function taskService(options: ServiceOptions): TaskService {
  const tasks = new Map<string, Task>();
  const making = new Set<string>();
  const hasTasks = () => tasks.size > 0 || making.size > 0;
  const handlers = handlersOf(options, tasks, making, hasTasks);
  return {
    serve(service, method, payload) {
      if (!services.includes(service) || !Object.hasOwn(calls, method)) return undefined;
      return answer(handlers, method as keyof Calls, payload);
    },
    hasTasks,
  };
}

async function answer<N extends keyof Calls>(handlers: Handlers, name: N, payload: Uint8Array): Promise<Uint8Array> {
  const [asked, answered] = calls[name];
  let request: Received<Calls[N][0]>;
  try {
    request = codec(asked).decode(payload) as Received<Calls[N][0]>;
  } catch (error) {
    throw invalid(`no ${asked}: ${messageOf(error)}`);
  }
  try {
    return codec(answered).encode((await handlers[name](request)) as Message<Calls[N][1]>);
  } catch (error) {
    throw refusalOf(error);
  }
}

/** @param making ids of tasks that are being made */
function handlersOf(
  options: ServiceOptions,
  tasks: Map<string, Task>,
  making: Set<string>,
  hasTasks: () => boolean,
): Handlers {
  const { global, publisher } = options;
  const find = (id: string): Task => {
    const task = tasks.get(id);
    if (task === undefined) throw noTask();
    return task;
  };
  return {
    State({ id, exec_id }) {
      const task = find(id);
      const process = task.process(exec_id);
      const { names, pid, exit } = process;
      return { id, bundle: task.bundle, pid, status: task.statusOf(process), ...names, ...exit, exec_id };
    },

    async Create(request) {
      const { id, bundle } = request;
      if (tasks.has(id) || making.has(id)) throw new CallRefused(Status.alreadyExists, `task ${id}: already exists`);
      const runtime = readOptions(request.options, options.directory);
      if (runtime.configFile !== undefined) process.env.RUNV_CONFIG = runtime.configFile;
      making.add(id);
      try {
        const task = await Task.create(
          { ...options, global: withCgroups(global, runtime, cgroupsPathOf(bundle)) },
          request,
        );
        tasks.set(id, task);
        return { pid: task.init.pid };
      } finally {
        making.delete(id);
      }
    },

    async Start({ id, exec_id }) {
      const task = find(id);
      const process = task.process(exec_id);
      await (exec_id === "" ? task.start() : task.startExec(process));
      return { pid: process.pid };
    },

    async Delete({ id, exec_id }) {
      const task = find(id);
      if (exec_id !== "") return await task.deleteExec(task.process(exec_id));
      const answer = await task.delete();
      tasks.delete(id);
      return answer;
    },

    Pids({ id }) {
      const running = find(id).processes.filter(({ pid, exit }) => pid > 0 && exit === undefined);
      return {
        processes: running.map(({ pid, execId }) => ({
          pid,
          ...(execId !== "" && { info: any("containerd.runc.v1.ProcessDetails", detailsOf(execId)) }),
        })),
      };
    },

    async Pause({ id }) {
      find(id);
      await pauseContainer({ global, id });
      publisher.publish("TaskPaused", { container_id: id });
      return {};
    },

    async Resume({ id }) {
      find(id);
      await resumeContainer({ global, id });
      publisher.publish("TaskResumed", { container_id: id });
      return {};
    },

    async Checkpoint({ id, path, options }) {
      find(id);
      const leaveRunning = !readCheckpointOptions(options).exit;
      await checkpointContainer({ global, id, image: path, leaveRunning });
      return {};
    },

    async Kill({ id, exec_id, signal, all }) {
      const task = find(id);
      if (signal > 64) throw invalid(`signal ${signal}`);
      await task.kill(task.process(exec_id), signal, all);
      return {};
    },

    async Exec(request) {
      const { id, exec_id, spec } = request;
      const task = find(id);
      if (exec_id === "") throw invalid("a process needs an id");
      const described = parseJson(Buffer.from(spec?.value ?? []).toString(), "the process");
      const wanted = isObject(described) ? { ...described, terminal: request.terminal } : described;
      await task.exec(exec_id, request, readDocument(processReader, wanted));
      return {};
    },

    ResizePty({ id, exec_id, width, height }) {
      find(id).process(exec_id).resize(height, width);
      return {};
    },

    CloseIO({ id, exec_id, stdin }) {
      const process = find(id).process(exec_id);
      if (stdin) process.closeStdin();
      return {};
    },

    async Update({ id, resources }) {
      find(id);
      const limits = parseJson(Buffer.from(resources?.value ?? []).toString(), "the resources");
      await updateContainer({ global, id, file: undefined, limits });
      return {};
    },

    async Wait({ id, exec_id }) {
      return await find(id).process(exec_id).done;
    },

    async Stats({ id }) {
      const task = find(id);
      if (task.init.exit !== undefined) throw noTask();
      return { stats: metricsOf(await (await task.machine()).usage()) };
    },

    Connect({ id }) {
      return { shim_pid: process.pid, task_pid: tasks.get(id)?.init.pid ?? 0, version: "" };
    },

    Shutdown() {
      // Of a pod there may be others.
      if (!hasTasks()) options.onShutdown();
      return {};
    },
  };
}

function any(type_url: string, value: Uint8Array): Message<"Any"> {
  return { type_url, value };
}

function detailsOf(exec_id: string): Uint8Array {
  return codec("ProcessDetails").encode({ exec_id });
}

/** What the bundle says of its cgroup; what else is wrong with it is told by who reads all of it. */
function cgroupsPathOf(bundle: string): string {
  try {
    const config: unknown = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
    const linux = isObject(config) ? config.linux : undefined;
    return isObject(linux) && typeof linux.cgroupsPath === "string" ? linux.cgroupsPath : "";
  } catch (error) {
    log.debug(messageOf(error));
    return "";
  }
}
