/** runv-containerd: containers and processes for clients of its API, one after the other and several at a time. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ApiClient } from "../../src/containerd/client";
import { removeAll, several } from "../containers";
import { type Figures, figure } from "../result";
import type { Rig } from "../rig";
import { environment, type Runtime } from "../runtimes";
import { median, percentile } from "../statistics";
import type { Measure } from "./index";

const atATime = 4;

export const measureContainerd: Measure = async (rig) => {
  const runtime = rig.runtimes.find(({ name }) => name === "cloned");
  return runtime === undefined ? {} : await withDaemon(rig, runtime, (client) => measure(rig, runtime, client));
};

async function measure(rig: Rig, runtime: Runtime, client: ApiClient): Promise<Figures> {
  const [containers, execs] = rig.quick ? [8, 40] : [40, 400];
  const [idle, brief] = [rig.bundle("sleep", "100000"), rig.bundle("true")];
  const id = (name: string) => runtime.id(`api-${name}`);
  await client.call("CreateContainer", { id: id("main"), bundlePath: idle });
  const ended = watchEnds(client);
  const create = async (name: string) => {
    await client.call("CreateContainer", { id: id(name), bundlePath: brief });
  };
  const exec = async (pid: string) => {
    await client.call("AddProcess", { id: id("main"), pid, args: ["true"], cwd: "/" });
  };
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  const creates = await several(names("c", containers), 1, create);
  const processes = await several(names("p", execs), 1, exec);
  const begin = performance.now();
  await several(names("m", containers), atATime, create);
  await ended(2 * containers + execs);
  const rate = containers / ((performance.now() - begin) / 1000);
  const of = (title: string, unit: "ms" | "1/s", value: number) => figure(title, unit, { cloned: [value] });
  return {
    "api-create": of("CreateContainer, with the start of `true`", "ms", median(creates)),
    "api-create-95": of("  19 of 20 within", "ms", percentile(creates, 0.95)),
    "api-exec": of("AddProcess of `true`", "ms", median(processes)),
    "api-exec-95": of("  19 of 20 within", "ms", percentile(processes, 0.95)),
    "api-exec-99": of("  99 of 100 within", "ms", percentile(processes, 0.99)),
    "api-rate": of(`containers from create to their end, ${atATime} at a time`, "1/s", rate),
  };
}

/** Counts ends. @returns what waits for a number of them */
function watchEnds(client: ApiClient): (count: number) => Promise<void> {
  let [seen, wanted] = [0, Number.POSITIVE_INFINITY];
  const { promise, resolve } = Promise.withResolvers<void>();
  const events = client.events({});
  // The stream ends with the client.
  events.on("error", () => {});
  events.on("data", ({ type }: { type: string }) => {
    if (type === "exit" && ++seen >= wanted) resolve();
  });
  return async (count) => {
    wanted = count;
    if (seen < wanted) await promise;
    events.cancel();
  };
}

async function withDaemon<T>(rig: Rig, runtime: Runtime, action: (client: ApiClient) => Promise<T>): Promise<T> {
  const state = join(rig.directory, "api");
  mkdirSync(state);
  const socket = join(state, "c.sock");
  const daemon = Bun.spawn(runtime.words("containerd", "--state-dir", state, "--listen", socket), {
    env: environment(),
    stdio: ["ignore", "ignore", "ignore"],
  });
  const client = new ApiClient(socket);
  try {
    await client.connect(60_000);
    return await action(client);
  } finally {
    client.close();
    daemon.kill("SIGTERM");
    await daemon.exited;
    const root = join(state, "containers");
    if (existsSync(root)) await removeAll({ ...rig, runtimes: [{ ...runtime, root, words: wordsFor(runtime, root) }] });
  }
}

/** The runtime, with another root. */
function wordsFor(runtime: Runtime, root: string): Runtime["words"] {
  return (...args) => runtime.words("--root", root, ...args);
}
