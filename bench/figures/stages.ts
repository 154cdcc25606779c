/** What a client does step by step: create, start, delete. */
import { ask, time } from "../command";
import { runningRuntimes } from "../containers";
import { figure, type Samples } from "../result";
import { warmUp } from "../rounds";
import type { Runtime } from "../runtimes";
import type { Measure } from "./index";

export const measureStages: Measure = async (rig) => {
  const bundle = rig.bundle("true");
  const stages: Record<"create" | "start" | "delete", Samples> = { create: {}, start: {}, delete: {} };
  for (let round = warmUp; round < (rig.quick ? 3 : 15); round++) {
    for (const runtime of runningRuntimes(rig)) {
      const id = runtime.id(`stages-${round}`);
      const note = (stage: keyof typeof stages, words: string[]) => {
        const took = time(words);
        if (round === warmUp) return;
        stages[stage][runtime.name] ??= [];
        stages[stage][runtime.name]?.push(took);
      };
      note("create", runtime.words("create", "-b", bundle, id));
      note("start", runtime.words("start", id));
      await stopped(runtime, id);
      note("delete", runtime.words("delete", id));
    }
  }
  return {
    create: figure("create", "ms", stages.create),
    start: figure("start", "ms", stages.start),
    delete: figure("delete of a stopped container", "ms", stages.delete),
  };
};

async function stopped(runtime: Runtime, id: string): Promise<void> {
  while (JSON.parse(ask(runtime.words("state", id))).status !== "stopped") await Bun.sleep(20);
}
