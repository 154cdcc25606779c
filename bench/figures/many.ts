/** Many containers: started four at a time, alive together, looked at, and deleted four at a time. */
import { ask, run, time } from "../command";
import { idle, remove, removeAll, runningRuntimes, several } from "../containers";
import { type Figures, figure, type Samples } from "../result";
import { interleave } from "../rounds";
import type { Runtime } from "../runtimes";
import { median } from "../statistics";
import type { Measure } from "./index";

const atATime = 4;

export const measureMany: Measure = async (rig) => {
  const count = rig.quick ? 10 : 100;
  const bundle = rig.bundle(...idle);
  const runtimes = runningRuntimes(rig);
  const idsOf = (runtime: Runtime) => Array.from({ length: count }, (_, index) => runtime.id(`many-${index}`));
  const [start, end, slowdown]: [Samples, Samples, Samples] = [{}, {}, {}];
  const seconds = async (runtime: Runtime, action: (id: string) => Promise<void>) => {
    const begin = performance.now();
    const times = await several(idsOf(runtime), atATime, action);
    return { times, total: (performance.now() - begin) / 1000 };
  };
  try {
    for (const runtime of runtimes) {
      const { name, words } = runtime;
      const { times, total } = await seconds(runtime, (id) => run(words("run", "-d", "-b", bundle, id)));
      const running = JSON.parse(ask(words("list", "-f", "json"))) as { status: string }[];
      const alive = running.filter(({ status }) => status === "running").length;
      if (alive !== count) throw new Error(`${name}: of ${count} containers that were started ${alive} run`);
      start[name] = [total];
      // Not the very first: four begin at once there as everywhere, and none waits for a template.
      slowdown[name] = [median(times.slice(-atATime)) / median(times.slice(0, atATime))];
    }
    const rounds = rig.quick ? 10 : 40;
    const turns = (args: (runtime: Runtime) => string[]) =>
      runtimes.map((runtime) => ({ name: runtime.name, sample: () => time(runtime.words(...args(runtime))) }));
    const state = await interleave(
      rounds,
      turns((runtime) => ["state", idsOf(runtime)[0]!]),
    );
    const list = await interleave(
      rounds,
      turns(() => ["list"]),
    );
    for (const runtime of runtimes) {
      end[runtime.name] = [(await seconds(runtime, (id) => remove(runtime, id))).total];
    }
    const figures: Figures = {
      "many-start": figure(`run -d of ${count}, ${atATime} at a time`, "s", start),
      "many-start-each": figure("  for each", "s", each(start, count)),
      "many-delete": figure(`delete --force of ${count}, ${atATime} at a time`, "s", end),
      "many-delete-each": figure("  for each", "s", each(end, count)),
      "many-slowdown": figure("  the last four starts, compared with the first four", "×", slowdown),
      state: figure(`state, beside ${count} that run`, "ms", state),
      list: figure(`list of ${count}`, "ms", list),
    };
    return figures;
  } finally {
    await removeAll(rig);
  }
};

function each(samples: Samples, count: number): Samples {
  return Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, list.map((total) => total / count)]));
}
