import { foreign, foreignImage, foreignPlatform } from "./foreign";
import { cleanUp, prelude } from "./prelude";
import type { Row } from "./row";
import type { Outcome, World } from "./world";

export const runtimes = ["runc", "runv"] as const;
export type Runtime = (typeof runtimes)[number];

export interface Compared {
  row: Row;
  outcomes: Record<Runtime, Outcome>;
}

let count = 0;

/** Runs a row with both runtimes, side by side. */
export async function compare(world: World, row: Row, side: "parallel" | "alone" = "parallel"): Promise<Compared> {
  const name = `row${count++}`;
  const runs: Promise<Outcome>[] = [];
  for (const runtime of runtimes) {
    const run = runRow(world, row, runtime, name);
    if (side === "alone") await run;
    runs.push(run);
  }
  const [runc, runv] = (await Promise.all(runs)) as [Outcome, Outcome];
  return { row, outcomes: { runc, runv } };
}

async function runRow(world: World, { script, slow }: Row, runtime: Runtime, name: string): Promise<Outcome> {
  const isForeign = foreign !== undefined && runtime === "runv";
  const env = { RT: runtime, N: `${name}${runtime}`, ...(isForeign && foreignPlatform) };
  const words = isForeign ? script.replaceAll(imageName, foreignImage) : script;
  const { code, output } = await world.run(`${prelude}\n${words}`, env, slow ? 600_000 : 100_000);
  await world.run(cleanUp, env);
  return { code, output: normal(output, env.N) };
}

/** The image of most rows, which is no part of a path there. */
const imageName = /(?<![/\w-])busybox(?![\w-])/g;

/** What differs from run to run, whatever the runtime. */
function normal(output: string, name: string): string {
  return (
    output
      .replaceAll(name, "NAME")
      .replaceAll(/\r|\0|\^@/g, "")
      // Docker's client says so when it is quicker than its daemon.
      .replaceAll(/^time=.*context canceled"\n?/gm, "")
      // podman's name server says so now and then where there is no syslog.
      .replaceAll(/^failed to connect to syslog: Initialization\n?/gm, "")
      .replaceAll(foreignImage, "busybox")
      .replaceAll(/\brun[cv]\b/g, "RUNTIME")
      .replaceAll(/\b[0-9a-f]{64}\b/g, "ID")
      .replaceAll(/\b[0-9a-f]{12}\b/g, "ID")
      .trim()
  );
}

/** What is wrong with a row; undefined if it is as declared. */
export function problem({ row, outcomes: { runc, runv } }: Compared): string | undefined {
  const { code = 0, says, differs = foreign && row.differsForeign, host, machine } = row;
  const meets = (outcome: Outcome) =>
    [code].flat().includes(outcome.code) &&
    (says === undefined || (typeof says === "string" ? outcome.output.includes(says) : says.test(outcome.output)));
  const same = runv.code === runc.code && runv.output === runc.output;
  const both = `runc: ${tell(runc)}\nrunv: ${tell(runv)}`;
  if (machine !== undefined && !meets(runc)) return same || meets(runv) ? undefined : both;
  if (!meets(runc)) return `with runc: ${tell(runc)}`;
  if (!same && differs === undefined && host === undefined) return both;
  if (same && differs !== undefined) return `it does not differ any more: ${differs}`;
  return undefined;
}

function tell({ code, output }: Outcome): string {
  return `exit code ${code}, ${JSON.stringify(output)}`;
}
