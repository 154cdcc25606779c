/** The template of the contenders "cloned" and "pooled": made, and with the process that clones are forked from, before anything is measured. */
import { ask, run } from "./command";
import type { Rig } from "./rig";

/** How long the process may take until it is ready. */
const timeoutMs = 120_000;

/** Makes it, by a first start, and waits until nothing is made in the background any more. */
export async function prepareTemplate({ runtimes, bundle }: Rig): Promise<void> {
  const cloned = runtimes.find(({ name }) => name === "cloned");
  if (cloned === undefined) return;
  await run(cloned.words("run", "-b", bundle("true"), cloned.id("template")));
  const deadline = performance.now() + timeoutMs;
  while (isComing(ask(cloned.words("template", "ls", "--format", "json")))) {
    if (performance.now() > deadline) throw new Error(`the template has no process after ${timeoutMs / 1000} s`);
    await Bun.sleep(50);
  }
}

/** Whether there will be a process: where clones are emulated, until it is ready or says why it is not. */
function isComing(list: string): boolean {
  const [template] = JSON.parse(list) as { process: string; subject?: { accelerator: string } }[];
  return template?.subject?.accelerator === "tcg" && ["none", "starting"].includes(template.process);
}
