/** `tests/worlds/run [WORLD…] [SUITE…]`: runs suites in worlds, says what happened, and writes docs/platforms.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inside, layers, type Output, output } from "./inside";
import { cellsOf, withCells } from "./seen";
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

let failed = false;
const chosen = worlds.filter(({ name }) => words.includes(name));
for (const world of chosen.length > 0 ? chosen : worlds) {
  const wanted = suitesOf(world).filter((name) => !words.some((word) => word in suites) || words.includes(name));
  await tryWorld(world, wanted);
}
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
  await output(["bash", "-c", "rm -rf dist/machine && ./package deb dist/machine"]);
  // Cat's is a pipe; what this process reads from is a socket, to which a lab's machine cannot write.
  const piped = ["bash", "-c", 'set -o pipefail; "$@" | cat', "piped"];
  note(world, await output([...piped, "lab/run", "--timeout", "5400", "debian13", join(here, "machine")]));
}

/** Writes into the page what a world has said of its steps, suites and versions. */
function note({ title }: World, { said, code }: Output): void {
  if (code !== 0 || / [1-9]\d* failed|exit code/.test(said)) failed = true;
  const titles = worlds.map((world) => world.title);
  const day = new Date().toISOString().slice(0, 10);
  writeFileSync(page, withCells(readFileSync(page, "utf8"), titles, title, cellsOf(said, day)));
}
