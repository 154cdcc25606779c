/** Files of the root file system, which a virtual machine reaches through its share. Nobody waits for the disk: no sync, a warm cache. */
import { time } from "../command";
import { runningRuntimes, theOne, withContainers } from "../containers";
import { figure, type Samples } from "../result";
import { warmUp } from "../rounds";
import type { Measure } from "./index";

const mebibytes = 256;
const files = 5000;

/** One after the other: what a step needs was left by those before. All contenders have the same rootfs, so each its own directory. */
const steps = [
  ["share-write", "writing 256 MiB to the rootfs", "MB/s", `dd if=/dev/zero of=large bs=1M count=${mebibytes} 2>&-`],
  ["share-read", "reading them", "MB/s", "dd if=large of=/dev/null bs=1M 2>&-"],
  ["files-write", "writing 5,000 small files", "s", `i=0; while [ $i -lt ${files} ]; do i=$((i+1)); echo $i >$i; done`],
  ["files-list", "listing them with sizes", "s", "ls -l >/dev/null"],
  ["files-read", "reading them", "s", "cat [0-9]* >/dev/null"],
  ["files-remove", "removing them", "s", "rm [0-9]*"],
] as const;

export const measureShare: Measure = async (rig) => {
  const runtimes = runningRuntimes(rig);
  const samples = new Map<string, Samples>(steps.map(([name]) => [name, {}]));
  await withContainers(rig, runtimes, async () => {
    for (let round = rig.quick ? warmUp + 1 : warmUp; round < (rig.quick ? 1 : 3); round++) {
      for (const [step, , unit, script] of steps) {
        for (const runtime of runtimes) {
          const { name, words } = runtime;
          const inside = `mkdir -p /bench-${name} && cd /bench-${name} && ${script}`;
          const seconds = time(words("exec", theOne(runtime), "sh", "-c", inside)) / 1000;
          const sample = unit === "s" ? seconds : (mebibytes * 2 ** 20) / 1e6 / seconds;
          if (round !== warmUp) note(samples.get(step)!, name, sample);
        }
      }
    }
  });
  return Object.fromEntries(steps.map(([name, title, unit]) => [name, figure(title, unit, samples.get(name)!)]));
};

function note(samples: Samples, name: keyof Samples, sample: number): void {
  samples[name] = [...(samples[name] ?? []), sample];
}
