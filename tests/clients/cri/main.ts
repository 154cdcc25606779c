/**
 * What crictl does, as far as the rig needs it: pods and containers of containerd's CRI plugin. The numbers of the fields are those of
 * CRI's runtime.v1 (k8s.io/cri-api, pkg/apis/runtime/v1/api.proto).
 *
 *     cri runp RUNTIME NAME [MEMORY]      cri create POD NAME MEMORY WORDS…     cri start|stop|rm|status|logs CONTAINER
 *     cri exec CONTAINER WORDS…           cri ps POD                            cri stopp|rmp|statusp POD
 *     cri update CONTAINER MEMORY         cri stats CONTAINER                   cri reopen CONTAINER
 *     cri attach CONTAINER                cri execit CONTAINER WORDS…           cri forward POD PORT
 *
 * POD_WITH and BOX_WITH, words like `user=1000`, say what pods and containers are made with besides: options.ts.
 */
import { readFileSync } from "node:fs";
import { print, writeAll } from "../../../src/base/output";
import { call } from "./call";
import { containerOptions, merge, podOptions } from "./options";
import { type Fields, type Message, messagesOf, numberOf, textOf } from "./protobuf";
import { stream } from "./stream";

const socket = "/run/containerd/containerd.sock";
const image = "docker.io/library/busybox:latest";
const states = ["created", "running", "exited", "unknown"];
/** In seconds. */
const execTimeout = 30;

const ask = (method: string, request: Message) => call(socket, method, request);

/** A pod is asked for again with each of its containers: its name is all that it is made of. */
function podConfig(name: string): Message {
  const linux = { 1: `/cri-${name}`, 2: { 1: { 2: 1 } } };
  const config = { 1: { 1: name, 2: `uid-${name}`, 3: "default" }, 2: "box", 3: `/run/${name}`, 8: linux };
  return merge(config, podOptions(process.env.POD_WITH));
}

function containerConfig(name: string, memory: number, words: string[]): Message {
  const [command = "", ...args] = words;
  const linux = { 1: { 4: memory }, 2: { 3: { 2: 1 } } };
  const config = { 1: { 1: name }, 2: { 1: image }, 3: [command], 4: args, 11: `${name}.log`, 15: linux };
  return merge(config, containerOptions(process.env.BOX_WITH));
}

const commands: Record<string, (...words: string[]) => Promise<string | number>> = {
  runp: async (runtime = "", name = "") => textOf(await ask("RunPodSandbox", { 1: podConfig(name), 2: runtime }), 1),
  create: async (pod = "", podName = "", name = "", memory = "", ...words) =>
    textOf(
      await ask("CreateContainer", { 1: pod, 2: containerConfig(name, Number(memory), words), 3: podConfig(podName) }),
      1,
    ),
  start: async (id) => silent(await ask("StartContainer", { 1: id })),
  stop: async (id, timeout = "0") => silent(await ask("StopContainer", { 1: id, 2: Number(timeout) })),
  rm: async (id) => silent(await ask("RemoveContainer", { 1: id })),
  stopp: async (pod) => silent(await ask("StopPodSandbox", { 1: pod })),
  rmp: async (pod) => silent(await ask("RemovePodSandbox", { 1: pod })),
  status: async (id) => {
    const [status] = messagesOf(await ask("ContainerStatus", { 1: id }), 1);
    return `${states[numberOf(status!, 3)]} ${numberOf(status!, 7)} ${textOf(status!, 10)}`.trim();
  },
  statusp: async (pod) => {
    const [status] = messagesOf(await ask("PodSandboxStatus", { 1: pod }), 1);
    const [network] = messagesOf(status!, 5);
    return `${numberOf(status!, 3) === 0 ? "ready" : "not ready"} ${network === undefined ? "" : textOf(network, 1)}`.trim();
  },
  ps: async (pod) => {
    const containers = messagesOf(await ask("ListContainers", { 1: { 3: pod } }), 1);
    const nameOf = (container: Fields) => textOf(messagesOf(container, 3)[0]!, 1);
    return containers
      .map((one) => `${nameOf(one)} ${states[numberOf(one, 6)]}`)
      .sort()
      .join("\n");
  },
  update: async (id = "", memory = "") =>
    silent(await ask("UpdateContainerResources", { 1: id, 2: { 4: Number(memory) } })),
  reopen: async (id) => silent(await ask("ReopenContainerLog", { 1: id })),
  stats: async (id) => {
    const [stats] = messagesOf(await ask("ContainerStats", { 1: id }), 1);
    const [cpu, memory] = [2, 3].map((field) => messagesOf(stats!, field)[0]!);
    const used = (of: Fields | undefined) => numberOf(messagesOf(of!, 2)[0]!, 1) > 0;
    return `processor ${used(cpu) ? "used" : "unused"}, memory ${used(memory) ? "used" : "unused"}`;
  },
  exec: async (id, ...words) => {
    const timeout = Number(process.env.EXEC_TIMEOUT ?? execTimeout);
    const answer = await ask("ExecSync", { 1: id, 2: words, 3: timeout });
    print(textOf(answer, 1));
    writeAll(2, textOf(answer, 2));
    return numberOf(answer, 3);
  },
  // What crictl does for `exec -it`, `attach` and `port-forward`: standard input is this command's, to its end.
  execit: async (id, ...words) =>
    stream(textOf(await ask("Exec", { 1: id, 2: words, 3: 1, 4: 1, 5: 1 }), 1), process.stdin),
  attach: async (id) => stream(textOf(await ask("Attach", { 1: id, 2: 1, 4: 1, 5: 1 }), 1), process.stdin),
  forward: async (pod, port = "") =>
    stream(textOf(await ask("PortForward", { 1: pod, 2: Number(port) }), 1), process.stdin, Number(port)),
  logs: async (podName, name) => readFileSync(`/run/${podName}/${name}.log`, "utf8").replaceAll(/^\S+ /gm, "").trim(),
};

function silent(_: Fields): number {
  return 0;
}

async function main([name = "", ...words]: string[]): Promise<number> {
  const command = commands[name];
  if (command === undefined) throw new Error(`no such command: ${name}`);
  const result = await command(...words);
  if (typeof result === "number") return result;
  print(`${result}\n`);
  return 0;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  writeAll(2, `cri: ${(error as Error).message}\n`);
  process.exit(1);
}
