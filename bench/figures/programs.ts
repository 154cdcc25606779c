/** A container that lives long: two hundred programs in it, again and again. Each is a file of its own, so that an emulator has new code to translate. */
import { time } from "../command";
import { runningRuntimes, theOne, withContainers } from "../containers";
import { figure } from "../result";
import { interleave } from "../rounds";
import type { Measure } from "./index";

const programs = `
  if [ ! -e /own/true ]; then mkdir -p /own && cp /bin/busybox /own/true; fi
  i=0; while [ $i -lt 200 ]; do /own/true; i=$((i + 1)); done`;

export const measurePrograms: Measure = async (rig) => {
  const runtimes = runningRuntimes(rig);
  const samples = await withContainers(rig, runtimes, () =>
    interleave(
      rig.quick ? 4 : 20,
      runtimes.map((runtime) => ({
        name: runtime.name,
        sample: () => time(runtime.words("exec", theOne(runtime), "sh", "-c", programs)),
      })),
    ),
  );
  return { programs: figure("200 programs in a container that has run some thousand", "ms", samples) };
};
