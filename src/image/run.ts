/** Running the programs that a build leans on: decompressors, `apt-get`, `tar`. */
import { RunvError } from "../base/error";

export interface RunOptions {
  input?: Uint8Array;
  cwd?: string;
  /** What to do when the program is not there, for the hint. */
  install?: string;
}

/** Runs a program to its end and returns what it wrote. */
export async function run(command: readonly string[], { input, cwd, install }: RunOptions = {}): Promise<Uint8Array> {
  const [program] = command as [string];
  if (Bun.which(program) === null) {
    const hint = install ?? `install ${program}, for example: apt-get install ${program}`;
    throw new RunvError("IMAGE_TOOL_MISSING", `the program ${program} is needed, and is not installed`, { hint });
  }
  const child = Bun.spawn([...command], {
    stdin: input ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, LC_ALL: "C" },
    ...(cwd === undefined ? {} : { cwd }),
  });
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) {
    const why = errors.trim() || `exit code ${code}`;
    throw new RunvError("IMAGE_TOOL_FAILED", `${command.slice(0, 2).join(" ")} failed: ${why}`);
  }
  return output;
}
