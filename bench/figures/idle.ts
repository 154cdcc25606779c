/** Several containers that do nothing: their memory, and what commands cost beside them. */
import { run, time } from "../command";
import { idle, remove, runningRuntimes, several } from "../containers";
import { type Memory, memoryOf } from "../processes";
import { type Processes, readProcesses } from "../record";
import { type Figures, figure } from "../result";
import { interleave } from "../rounds";
import type { Runtime } from "../runtimes";
import type { Measure } from "./index";

export const measureIdle: Measure = async (rig) => {
  const runtimes = runningRuntimes(rig);
  const count = rig.quick ? 10 : 20;
  const idsOf = (runtime: Runtime) => Array.from({ length: count }, (_, index) => runtime.id(`idle-${index}`));
  const cloned = runtimes.find(({ name }) => name === "cloned")!;
  const ids = idsOf(cloned);
  rig.notes.push(`state and list are measured with ${count} containers, each of them a real one`);
  const start = (ids: readonly string[], runtime: Runtime) =>
    several(ids, 2, (id) => run(runtime.words("run", "-d", "-b", rig.bundle(...idle), id)));
  const figures: Figures = {};
  const measureMemory = async (ids: readonly string[]) => {
    await Bun.sleep(rig.quick ? 3000 : 15_000);
    Object.assign(figures, memoryFigures(cloned.root, ids));
  };
  try {
    await start(ids.slice(0, 1), cloned);
    await measureMemory(ids.slice(0, 1));
    await start(ids.slice(1), cloned);
    await measureMemory(ids);
    for (const runtime of runtimes.filter((runtime) => runtime !== cloned)) await start(idsOf(runtime), runtime);
    const rounds = rig.quick ? 10 : 40;
    const turns = (args: (runtime: Runtime) => string[]) =>
      runtimes.map((runtime) => ({ name: runtime.name, sample: () => time(runtime.words(...args(runtime))) }));
    const state = turns((runtime) => ["state", idsOf(runtime)[0]!]);
    figures.state = figure("state", "ms", await interleave(rounds, state));
    figures.list = figure(
      `list of ${count}`,
      "ms",
      await interleave(
        rounds,
        turns(() => ["list"]),
      ),
    );
  } finally {
    for (const runtime of runtimes) await several(idsOf(runtime), 4, (id) => remove(runtime, id));
  }
  return figures;
};

/** A sample is a container. */
function memoryFigures(root: string, ids: readonly string[]): Figures {
  const samples = ids.map((id) => readProcesses(root, id));
  const of = (title: string, kind: keyof Memory, ...names: (keyof Processes)[]) =>
    figure(title, "MB", {
      cloned: samples.map((pids) => names.reduce((sum, name) => sum + memoryOf(pids[name])[kind], 0)),
    });
  const [many, among] = [ids.length > 1, ids.length > 1 ? `1 of ${ids.length}` : "1 alone"];
  const suffix = many ? "-many" : "";
  return {
    [`memory${suffix}`]: of(`memory of an idle container, ${among}: PSS`, "pss", "qemu", "monitor", "shim"),
    [`memory-qemu${suffix}`]: of("  QEMU: private", "anonymous", "qemu"),
    [`memory-monitor${suffix}`]: of("  monitor: private", "anonymous", "monitor"),
    [`memory-shim${suffix}`]: of("  shim: private", "anonymous", "shim"),
    [`memory-runv${suffix}`]: of("  monitor and shim: private", "anonymous", "monitor", "shim"),
  };
}
