/** `runv branch` while something is killed: the original runs on, unless that was it, and nothing is left behind. */
import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf } from "../src/linux/identity";
import { partsOf, statusOf } from "./drivers/support/parts";
import { branchesOf, output, patience, runv, start, startForked } from "./support/branch";
import { clean, type Rig, runvTest, templatesOf } from "./support/rig";
import { holders, readyProcess } from "./support/template-process";
import { until } from "./support/until";

/** What is killed: by then it is known, or is gone already. */
type Victim = (
  rig: Rig,
  made: { command: number; original: string; branches: readonly string[] },
) => number | undefined;

const victims: Record<string, Victim> = {
  "the command": (_, { command }) => command,
  "the original's monitor": (rig, { original }) => partsOf(rig, original).monitor,
  "the original's machine": (rig, { original }) => partsOf(rig, original).machine,
  "a branch's monitor": (rig, { branches }) => knownOf(rig, branches[1]!)?.monitor,
  "the template's process": (rig) => holders(rig)[0],
};

/** The steps after which it is, as the log says them: the command's, or that of the original's monitor. */
const steps = [
  ["command", "copy the root file system"],
  ["original", "get ready, while it runs"],
  ["original", "freeze, and write back"],
  ["original", "stop the processors"],
  ["original", "fork"],
] as const;

function knownOf(rig: Rig, id: string): { monitor: number } | undefined {
  return existsSync(join(rig.root, id, "state.json")) ? partsOf(rig, id) : undefined;
}

/** How often a log says that a step is done. */
function times(log: string, step: string): number {
  if (!existsSync(log)) return 0;
  return readFileSync(log, "utf8")
    .split(/^/m)
    .filter((line) => line.includes(`msg="${step}" `) || line.includes(`msg=${step} `)).length;
}

const count = async (rig: Rig, id: string) => Number(await output(rig, id, "cat /dev/shm/count"));

for (const [what, victim] of Object.entries(victims)) {
  runvTest(`kill -9 of ${what}, at each step`, async (rig) => {
    const counter =
      "i=0; while :; do i=$((i+1)); echo $i >/dev/shm/next; mv /dev/shm/next /dev/shm/count; sleep 0.1; done";
    const change = ({ root }: { root: { readonly?: boolean } }) => {
      root.readonly = false;
    };
    const bundle = await rig.bundle({ args: ["sh", "-c", counter], change });
    const log = join(rig.directory, "original.log");
    const flags = ["--debug", "--log", log];
    let original = await startForked(rig, bundle, ...flags);
    for (const [index, [whose, step]] of steps.entries()) {
      if (!existsSync(join(rig.root, original))) original = await start(rig, `original${index}`, bundle, ...flags);
      await until("the original counts", async () => (await output(rig, original, "ls /dev/shm")) !== "", patience);
      const branches = [0, 1].map((number) => rig.id(`copy${index}-${number}`));
      const own = join(rig.directory, `command${index}.log`);
      const told = whose === "command" ? own : log;
      const already = times(told, step);
      const command = rig.spawn(
        ["--driver", "tcg", "--template", templatesOf(rig), "--debug", "--log", own, "branch", original, ...branches],
        { env: { RUNV_CONFIG: join(rig.directory, "config.toml") } },
      );
      while (command.exitCode === null && times(told, step) === already) await Bun.sleep(1);
      const pid = victim(rig, { command: command.pid, original, branches });
      if (pid !== undefined && identityOf(pid) !== undefined) process.kill(pid, "SIGKILL");
      await command.exited;
      if (what.startsWith("the original")) {
        await until("it has stopped", async () => (await statusOf(rig, original)) === "stopped", patience);
        expect((await runv(rig, ["delete", "--force", original])).code).toBe(0);
      } else {
        const before = await count(rig, original);
        await until("the original counts on", async () => (await count(rig, original)) > before, patience);
      }
      if (what.startsWith("the template")) {
        if (command.exitCode !== 0) throw new Error(await new Response(command.stderr).text());
        await output(rig, branches[0]!, "true");
        await readyProcess(rig).catch(() => {});
      }
      for (const id of branches) expect((await runv(rig, ["delete", "--force", id])).code).toBe(0);
      expect([step, existsSync(branchesOf(rig)) ? readdirSync(branchesOf(rig)) : []]).toEqual([step, []]);
    }
    await clean(rig);
  });
}
