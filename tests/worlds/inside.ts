/** Running programs in a world: its files are made once and kept; a clean clone is in its /root/runv. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const project = join(import.meta.dir, "../..");

/** What a program wrote to its standard output, and its exit code. */
export interface Output {
  said: string;
  code: number;
}

/**
 * The layers of a world's files, as `tests/worlds/enter` takes them; made if need be.
 * @throws Error when Debian's packages cannot be had
 */
export async function layers(suite: string, ...packages: readonly string[]): Promise<string> {
  const { said, code } = await output(["lab/debian-tree", suite, ...packages]);
  if (code !== 0) throw new Error(`making Debian ${suite} failed`);
  return said.trim().split("\n").at(-1)!;
}

/**
 * Runs a program in a world, which then says its versions. Nothing that it writes there is kept: it goes beside the world's files, or below the
 * directory that RUNV_WORLDS_SCRATCH names, in memory maybe.
 */
export async function inside(lower: string, command: readonly string[]): Promise<Output> {
  const { RUNV_WORLDS_SCRATCH: scratch = dirname(lower.split(":")[0]!) } = process.env;
  const upper = mkdtempSync(join(scratch, "run-"));
  try {
    const clone = join(upper, "files/root/runv");
    mkdirSync(clone, { recursive: true });
    const copy = 'git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$1"';
    await output(["bash", "-c", copy, "copy", clone]);
    const script = '"$@"; code=$?; sh /root/runv/tests/worlds/versions; exit $code';
    const world = ["bash", "-c", script, "world", ...command];
    return await output([join(import.meta.dir, "enter"), "--upper", upper, lower, "--", ...world]);
  } finally {
    rmSync(upper, { recursive: true, force: true });
  }
}

/** Runs a program in the checkout. Its output is passed on as it comes, to standard error, and returned. */
export async function output(command: readonly string[]): Promise<Output> {
  const child = Bun.spawn([...command], { cwd: project, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  for await (const chunk of child.stdout) {
    process.stderr.write(chunk);
    said += Buffer.from(chunk).toString();
  }
  return { said, code: await child.exited };
}
