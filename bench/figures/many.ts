/** Many containers: started four at a time, alive together, and deleted four at a time. */
import { ask, run } from "../command";
import { idle, remove, removeAll, runningRuntimes, several } from "../containers";
import { type Figures, figure, type Samples } from "../result";
import { median } from "../statistics";
import type { Measure } from "./index";

const atATime = 4;

export const measureMany: Measure = async (rig) => {
  const count = rig.quick ? 10 : 50;
  const bundle = rig.bundle(...idle);
  const [start, end, slowdown]: [Samples, Samples, Samples] = [{}, {}, {}];
  for (const runtime of runningRuntimes(rig)) {
    const { name, words } = runtime;
    const ids = Array.from({ length: count }, (_, index) => runtime.id(`many-${index}`));
    const seconds = async (action: (id: string) => Promise<void>) => {
      const begin = performance.now();
      const times = await several(ids, atATime, action);
      return { times, total: (performance.now() - begin) / 1000 };
    };
    try {
      const started = await seconds((id) => run(words("run", "-d", "-b", bundle, id)));
      const running = JSON.parse(ask(words("list", "-f", "json"))) as { status: string }[];
      const alive = running.filter(({ status }) => status === "running").length;
      if (alive !== count) throw new Error(`${name}: of ${count} containers that were started ${alive} run`);
      const deleted = await seconds((id) => remove(runtime, id));
      start[name] = [started.total];
      end[name] = [deleted.total];
      // Not the very first: four begin at once there as everywhere, and none waits for a template.
      slowdown[name] = [median(started.times.slice(-atATime)) / median(started.times.slice(0, atATime))];
    } finally {
      await removeAll(rig);
    }
  }
  const figures: Figures = {
    "many-start": figure(`run -d of ${count}, ${atATime} at a time`, "s", start),
    "many-start-each": figure("  for each", "s", each(start, count)),
    "many-delete": figure(`delete --force of ${count}, ${atATime} at a time`, "s", end),
    "many-delete-each": figure("  for each", "s", each(end, count)),
    "many-slowdown": figure("  the last four starts, compared with the first four", "×", slowdown),
  };
  return figures;
};

function each(samples: Samples, count: number): Samples {
  return Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, list.map((total) => total / count)]));
}
