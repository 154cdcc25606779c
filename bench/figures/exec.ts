/** `exec true` in a container that runs. */
import { time } from "../command";
import { runningRuntimes, theOne, withContainers } from "../containers";
import { figure } from "../result";
import { interleave } from "../rounds";
import type { Measure } from "./index";

export const measureExec: Measure = async (rig) => {
  const runtimes = runningRuntimes(rig);
  const samples = await withContainers(rig, runtimes, () =>
    interleave(
      rig.quick ? 8 : 30,
      runtimes.map((runtime) => ({
        name: runtime.name,
        sample: () => time(runtime.words("exec", theOne(runtime), "true")),
      })),
    ),
  );
  return { exec: figure("exec of `true`", "ms", samples) };
};
