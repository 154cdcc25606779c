/** Several containers that do nothing: their memory. */
import { run } from "../command";
import { idle, remove, several } from "../containers";
import { type Memory, memoryOf } from "../processes";
import { type Processes, readProcesses } from "../record";
import { type Figures, figure } from "../result";
import type { Measure } from "./index";

export const measureIdle: Measure = async (rig) => {
  const cloned = rig.runtimes.find(({ name }) => name === "cloned")!;
  const { root, words, id } = cloned;
  const ids = Array.from({ length: rig.quick ? 10 : 20 }, (_, index) => id(`idle-${index}`));
  const start = (some: readonly string[]) =>
    several(some, 2, (id) => run(words("run", "-d", "-b", rig.bundle(...idle), id)));
  const measure = async (some: readonly string[]) => {
    await Bun.sleep(rig.quick ? 3000 : 15_000);
    return memoryFigures(root, some);
  };
  try {
    await start(ids.slice(0, 1));
    const alone = await measure(ids.slice(0, 1));
    await start(ids.slice(1));
    return { ...alone, ...(await measure(ids)) };
  } finally {
    await several(ids, 4, (id) => remove(cloned, id));
  }
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
    [`memory-qemu${suffix}`]: of("  QEMU: private", "own", "qemu"),
    [`memory-monitor${suffix}`]: of("  monitor: private", "own", "monitor"),
    [`memory-shim${suffix}`]: of("  shim: private", "own", "shim"),
    [`memory-runv${suffix}`]: of("  monitor and shim: private", "own", "monitor", "shim"),
  };
}
