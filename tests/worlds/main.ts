/** `tests/worlds/run [WORLD…] [SUITE…]`: runs suites in worlds, says what happened, and writes docs/platforms.md. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { withCells } from "./seen";
import { packages, suites, suitesOf, type World, worlds } from "./worlds";

const [here, project] = [import.meta.dir, join(import.meta.dir, "../..")];
const page = join(project, "docs/platforms.md");
const words = process.argv.slice(2);
const unknown = words.filter((word) => !(word in suites) && !worlds.some(({ name }) => name === word));
if (unknown.length > 0) {
  process.stderr.write(
    `unknown: ${unknown.join(" ")}\nworlds: ${worlds.map(({ name }) => name).join(" ")}\nsuites: ${Object.keys(suites).join(" ")}\n`,
  );
  process.exit(2);
}

const seen = new Map<string, Map<string, string>>();
let failed = false;
const chosen = worlds.filter(({ name }) => words.includes(name));
for (const world of chosen.length > 0 ? chosen : worlds) {
  const wanted = suitesOf(world).filter((name) => !words.some((word) => word in suites) || words.includes(name));
  await tryWorld(world, wanted);
}
writeFileSync(
  page,
  withCells(
    readFileSync(page, "utf8"),
    worlds.map(({ title }) => title),
    seen,
  ),
);
process.exit(failed ? 1 : 0);

async function tryWorld(world: World, wanted: readonly string[]): Promise<void> {
  if (world.suite === undefined) return wanted.length === 0 ? undefined : await tryMachine(world);
  if (wanted.includes("door")) {
    note(world, await inside(await layers(world.suite), ["/root/runv/tests/worlds/door"]));
  }
  const rest = wanted.filter((name) => name !== "door").map((name) => `${name}=${suites[name]!.join(",")}`);
  if (rest.length === 0) return;
  const full = await layers(world.suite, ...packages, ...(world.packages ?? []));
  note(world, await inside(full, ["/root/runv/tests/worlds/suites", ...rest]));
}

/** The machine has no network and no packages to come: what is tried in it is a script of its own. */
async function tryMachine(world: World): Promise<void> {
  note(world, await output(["lab/run", "--timeout", "3000", "debian13", join(here, "machine")]));
}

/** The layers of a world's files, made if need be. */
async function layers(suite: string, ...names: readonly string[]): Promise<string> {
  const { said, code } = await output(["lab/debian-tree", suite, ...names]);
  if (code !== 0) throw new Error(`making Debian ${suite} failed`);
  return said.trim().split("\n").at(-1)!;
}

/** Runs a script in a world that has a clean clone in /root/runv, and then says its versions. */
async function inside(lower: string, command: readonly string[]): Promise<{ said: string; code: number }> {
  const upper = mkdtempSync(join(dirname(lower.split(":")[0]!), "run-"));
  try {
    const clone = join(upper, "files/root/runv");
    mkdirSync(clone, { recursive: true });
    const copy = 'git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$1"';
    await output(["bash", "-c", copy, "copy", clone]);
    const script = '"$@"; code=$?; sh /root/runv/tests/worlds/versions; exit $code';
    return await output([
      join(here, "enter"),
      "--upper",
      upper,
      lower,
      "--",
      "bash",
      "-c",
      script,
      "world",
      ...command,
    ]);
  } finally {
    rmSync(upper, { recursive: true, force: true });
  }
}

/** Runs a program. Its output is passed on, and returned. */
async function output(command: readonly string[]): Promise<{ said: string; code: number }> {
  const child = Bun.spawn([...command], { cwd: project, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  for await (const chunk of child.stdout) {
    process.stderr.write(chunk);
    said += Buffer.from(chunk).toString();
  }
  return { said, code: await child.exited };
}

/** Notes what a world has said of its steps, suites and versions. */
function note({ title }: World, { said, code }: { said: string; code: number }): void {
  const cell = (row: string, text: string) => seen.set(row, new Map(seen.get(row)).set(title, text));
  if (code !== 0 || / [1-9]\d* failed|exit code/.test(said)) failed = true;
  const day = new Date().toISOString().slice(0, 10);
  for (const [, row, text] of said.matchAll(/^version: (.*?): (.*)$/gm)) cell(row!, text!);
  for (const [, row, text] of said.matchAll(/^(?:door|suite): (.*?): (.*)$/gm)) cell(row!, `${day}: ${text!}`);
}
