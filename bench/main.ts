/** `bench/run`: measures, and writes what it found. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { print, writeAll } from "../src/base/output";
import { ask } from "./command";
import { removeAll } from "./containers";
import { measures } from "./figures";
import { describeMachine, loadNow } from "./machine";
import { drawResult } from "./picture";
import { writePng } from "./png";
import { stopPool } from "./pool";
import type { Result } from "./result";
import { makeRig, type Rig, removeRig } from "./rig";
import { formatFigures } from "./table";
import { prepareTemplate } from "./template";

const results = join(import.meta.dir, "results");

async function main(argv: readonly string[]): Promise<number> {
  const names = argv.filter((word) => !word.startsWith("--"));
  const flags = argv.filter((word) => word.startsWith("--"));
  const unknown =
    flags.find((flag) => flag !== "--quick" && flag !== "--list") ?? names.find((name) => !(name in measures));
  if (unknown !== undefined) {
    writeAll(2, `bench/run: ${unknown} is neither a flag nor a figure; figures: ${Object.keys(measures).join(" ")}\n`);
    return 1;
  }
  if (flags.includes("--list")) {
    print(`${Object.keys(measures).join("\n")}\n`);
    return 0;
  }
  const rig = await makeRig(flags.includes("--quick"));
  const interrupted = () => void clean(rig).finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, interrupted);
  try {
    publish(await measure(rig, names.length === 0 ? Object.keys(measures) : names));
  } finally {
    await clean(rig);
  }
  return 0;
}

async function measure(rig: Rig, names: readonly string[]): Promise<Result> {
  const versions = rig.runtimes.map(({ name, version }) => [name, version]);
  const commit = ask([...rig.runtimes.find(({ name }) => name === "cloned")!.words("--version")]).split("\n")[1] ?? "";
  const qemu = ask(["qemu-system-x86_64", "--version"]).split("\n")[0] ?? "";
  const machine = await describeMachine({ ...Object.fromEntries(versions), runv: commit, qemu });
  await prepareTemplate(rig);
  const result: Result = { machine, quick: rig.quick, figures: {}, notes: rig.notes };
  for (const name of names) {
    machine.load.at[name] = loadNow();
    writeAll(2, `measuring ${name} (load ${loadNow()})\n`);
    Object.assign(result.figures, await measures[name]!(rig));
  }
  machine.load.after = loadNow();
  return result;
}

function publish(result: Result): void {
  const { figures, notes, machine } = result;
  const { before, after, othersPercent } = machine.load;
  print(`\n${formatFigures(figures)}\n`);
  print("Medians [least–most], and the ratio to runc's or to QEMU's by hand.\n");
  for (const note of notes) print(`- ${note}\n`);
  print(`- load ${before} before, ${after} after; others took ${othersPercent} % of the processors before the start\n`);
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, "latest.json"), `${JSON.stringify(result, null, 2)}\n`);
  const picture = join(results, "latest.svg");
  writeFileSync(picture, drawResult(result));
  writePng(picture);
}

async function clean(rig: Rig): Promise<void> {
  await removeAll(rig);
  await stopPool(rig).catch(() => {});
  removeRig(rig);
}

process.exit(await main(process.argv.slice(2)));
