/** What goes through a process's standard output and standard input, and what it costs runv's processes and QEMU. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { time } from "../command";
import { runningRuntimes, theOne, withContainers } from "../containers";
import { processorTime } from "../processes";
import { readProcesses } from "../record";
import { type Figures, figure, type Samples } from "../result";
import { interleave } from "../rounds";
import { usageOf } from "../usage";
import type { Measure } from "./index";

const bytes = 256 * 2 ** 20;
/** A file of the root file system, which a virtual machine reads through its share; and what comes from nowhere. */
const cat = ["cat", "/bench-large"];
const dd = ["dd", "if=/dev/zero", "bs=64k", `count=${bytes / 2 ** 16}`];
const input = ["sh", "-c", "cat >/dev/null"];

export const measureStdio: Measure = async (rig) => {
  const runtimes = runningRuntimes(rig);
  const rounds = rig.quick ? 1 : 3;
  const perSecond = (milliseconds: number) => bytes / 1e6 / (milliseconds / 1000);
  writeFileSync(join(rig.rootfs, "bench-large"), new Uint8Array(bytes));
  return await withContainers(rig, runtimes, async () => {
    const through = (script: (command: string) => string, command: string[]) =>
      interleave(
        rounds,
        runtimes.map((runtime) => ({
          name: runtime.name,
          sample: () =>
            perSecond(time(["sh", "-c", script('"$@"'), "sh", ...runtime.words("exec", theOne(runtime), ...command)])),
        })),
      );
    const figures: Figures = {
      stdout: figure("stdout: `cat` of 256 MiB", "MB/s", await through((it) => `${it} | cat >/dev/null`, cat)),
      "stdout-dd": figure("stdout: `dd` of 256 MiB", "MB/s", await through((it) => `${it} 2>&- | cat >/dev/null`, dd)),
      stdin: figure("stdin: 256 MiB", "MB/s", await through((it) => `head -c ${bytes} /dev/zero | ${it}`, input)),
    };
    const cloned = runtimes.find(({ name }) => name === "cloned")!;
    const cost: Record<"qemu" | "runv", Samples> = { qemu: { cloned: [] }, runv: { cloned: [] } };
    for (let round = 0; round < rounds; round++) {
      const { monitor, qemu } = readProcesses(cloned.root, theOne(cloned));
      const before = [monitor, qemu].map(processorTime) as [number, number];
      // The command and the process's shim, which end with it.
      const { cpu } = usageOf(rig.directory, cloned.words("exec", theOne(cloned), ...cat));
      cost.runv.cloned?.push((cpu + processorTime(monitor) - before[0]) / 1000);
      cost.qemu.cloned?.push((processorTime(qemu) - before[1]) / 1000);
    }
    figures["stdout-cpu-qemu"] = figure("  processor time meanwhile: QEMU", "s", cost.qemu);
    figures["stdout-cpu-runv"] = figure("  command, shim and monitor", "s", cost.runv);
    return figures;
  });
};
