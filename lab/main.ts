/** `lab/run KIND [COMMAND…]`: the command in, its output and its exit code out. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../src/base/error";
import { writeAll } from "../src/base/output";
import { writeInitrd } from "./initrd";
import { kinds, type LabKind } from "./kinds";
import { runMachine } from "./machine";
import { findKernel } from "./modules";
import { describe } from "./order";

const usage = `usage: lab/run [--timeout SECONDS] [--results DIRECTORY] ${Object.keys(kinds).join("|")} [COMMAND…]

Boots a machine and runs the command in it, as root, in this checkout; without a
command: a shell. What it writes into /results is in the directory then.
`;

/** What timeout(1) ends with. */
const timedOut = 124;
const failed = 125;

const flags = {
  timeout: { type: "string", default: "1200" },
  results: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

async function main(words: string[]): Promise<number> {
  // What follows the kind is the command's own.
  const end = words.findIndex((word, index) => !word.startsWith("-") && !takesValue(words[index - 1]));
  const { values } = parseArgs({ args: end < 0 ? words : words.slice(0, end), options: flags });
  const [name = "", ...command] = end < 0 ? [] : words.slice(end);
  const kind = kinds[name];
  const seconds = Number(values.timeout);
  if (values.help || kind === undefined || !(seconds > 0)) {
    writeAll(values.help ? 1 : 2, usage);
    return values.help ? 0 : failed;
  }
  return await run(kind, command, seconds, values.results);
}

/** `--timeout 60`, but not `--timeout=60`. */
function takesValue(word: string | undefined): boolean {
  return word === "--timeout" || word === "--results";
}

async function run(kind: LabKind, command: string[], seconds: number, wanted: string | undefined): Promise<number> {
  const scratch = mkdtempSync(join(tmpdir(), "runv-lab-"));
  try {
    const results = resolve(wanted ?? join(scratch, "results"));
    mkdirSync(results, { recursive: true });
    const order = join(scratch, "order");
    mkdirSync(order);
    const own = await kind.files?.(progress);
    const layers = own?.layers ?? [];
    const kernel = own?.kernel ?? (await findKernel(progress));
    const initrd = join(scratch, "initrd");
    writeFileSync(initrd, await writeInitrd(kernel, layers[0]));
    const { boot, tree } = await kind.prepare({ kernel: kernel.kernel, initrd, scratch }, progress);
    const files = describe(
      { kind: kind.name, hasTree: tree !== undefined, layers: layers.length, systemd: own?.systemd ?? false },
      command,
    );
    for (const [file, text] of Object.entries(files)) writeFileSync(join(order, file), text);
    const console = join(scratch, "console");
    const interactive = command.length === 0;
    const { how, late } = await runMachine(kind, { boot, tree, layers, order, results, console, interactive }, seconds);
    const said = read(join(order, "exit"));
    if (said !== undefined) return Number(said);
    progress(`the machine ${how}; the end of its console:`);
    progress((read(console) ?? "").split("\n").slice(-40).join("\n"));
    return late ? timedOut : failed;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function progress(line: string): void {
  writeAll(2, `lab: ${line}\n`);
}

process.exit(
  await main(process.argv.slice(2)).catch((error) => {
    progress(messageOf(error));
    return failed;
  }),
);
