/** `run` of `echo hi`, from the command's start to its end. */
import { time } from "../command";
import { untilFull, withPool } from "../pool";
import { figure } from "../result";
import { interleave } from "../rounds";
import type { Measure } from "./index";

export const measureRun: Measure = async (rig) => {
  const bundle = rig.bundle("echo", "hi");
  const rounds = rig.quick ? 5 : 20;
  const turns = rig.runtimes.map((runtime) => {
    const { name, words, id } = runtime;
    return {
      name,
      // A cold boot takes seconds.
      rounds: name === "cold" ? Math.ceil(rounds / 3) : rounds,
      sample: async (round: number) => {
        const took = time(words("run", "-b", bundle, id(`run-${round}`)));
        if (name === "pooled") await untilFull(runtime);
        return took;
      },
    };
  });
  return { run: figure("run of `echo hi`", "ms", await withPool(rig, () => interleave(rounds, turns))) };
};
