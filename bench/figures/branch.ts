/** Branches of a container that has 50 MB in its memory: how long that stands still, and ten at once until all have answered; what they take. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, run, time } from "../command";
import { idle, remove, removeAll } from "../containers";
import { memoryOf } from "../processes";
import { readProcesses } from "../record";
import { type Figures, figure } from "../result";
import type { Measure } from "./index";

const count = 10;
const loaded = ["sh", "-c", "head -c 50000000 /dev/urandom >/dev/shm/memory; echo loaded; exec sleep 100000"];

export const measureBranch: Measure = async (rig) => {
  const cloned = rig.runtimes.find(({ name }) => name === "cloned")!;
  const { root, words, id } = cloned;
  const [original, first] = [id("original"), id("first")];
  const ids = Array.from({ length: count }, (_, index) => id(`branch-${index}`));
  const rounds = rig.quick ? 3 : 10;
  const stops: number[] = [];
  const tens: number[] = [];
  const stopsOfTen: number[] = [];
  const memory: number[] = [];
  let own = 0;
  const log = join(rig.directory, "branch.log");
  const output = join(rig.directory, "loaded");
  const branch = (...some: string[]) => {
    rmSync(log, { force: true });
    const took = time(words("--debug", "--log", log, "branch", original, ...some));
    return { took, stop: Number(/stood still for ([0-9.]+) ms/.exec(readFileSync(log, "utf8"))![1]) };
  };
  try {
    // Branches are made of what was forked itself.
    await run(words("run", "-d", "-b", rig.bundle(...idle), first));
    while (!ask(words("template", "ls")).includes("ready")) await Bun.sleep(100);
    writeFileSync(output, "");
    await Bun.spawn(words("run", "-d", "-b", rig.bundle(...loaded), original), { stdout: Bun.file(output) }).exited;
    while (readFileSync(output, "utf8") !== "loaded\n") await Bun.sleep(100);
    for (let round = 0; round < rounds; round++) {
      stops.push(branch(ids[0]!).stop);
      await remove(cloned, ids[0]!);
      const start = performance.now();
      stopsOfTen.push(branch(...ids).stop);
      await Promise.all(ids.map((one) => run(words("exec", one, "true"))));
      tens.push((performance.now() - start) / 1000);
      own = memoryOf(readProcesses(root, original).qemu).pss;
      memory.push(...ids.map((one) => memoryOf(readProcesses(root, one).qemu).pss));
      if (round < rounds - 1) for (const one of ids) await remove(cloned, one);
    }
    await Promise.all(ids.map((one) => remove(cloned, one)));
    const alone = memoryOf(readProcesses(root, original).qemu).pss;
    const figures: Figures = {
      "branch-stop": figure("branch: its original stands still", "ms", { cloned: stops }),
      "branch-stop-ten": figure(`  of ${count} at once`, "ms", { cloned: stopsOfTen }),
      "branch-ten": figure(`branch into ${count}, until all have answered`, "s", { cloned: tens }),
      "branch-memory": figure(`memory of a branch's QEMU, 1 of ${count}: PSS`, "MB", { cloned: memory }),
      "branch-memory-original": figure("  its original's, with them", "MB", { cloned: [own] }),
      "branch-memory-alone": figure("  its original's, without", "MB", { cloned: [alone] }),
    };
    return figures;
  } finally {
    await removeAll(rig);
  }
};
