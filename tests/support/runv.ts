/** Running `dist/runv` (or what RUNV_BINARY names) as its callers do. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const project = join(import.meta.dir, "../..");

export const binary = process.env.RUNV_BINARY ?? join(project, "dist/runv");

/** Marks every process that a test starts, by way of its environment: see leaks.ts. */
export const marker = "RUNV_TEST_RIG";

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunvOptions {
  /** For standard input; nothing if undefined. */
  input?: string | Uint8Array | Blob;
  cwd?: string;
  env?: Record<string, string>;
  /** The whole is killed after so many milliseconds; a test must not hang. */
  timeout?: number;
}

/** Starts runv with the image that was made for tests, unless the arguments say otherwise. */
export function spawnRunv(
  rig: string,
  args: readonly string[],
  { input, cwd, env, timeout = 120_000 }: RunvOptions = {},
) {
  return Bun.spawn([binary, ...imageFlags(), ...args], {
    stdin: input === undefined ? "ignore" : input instanceof Blob ? input : new Blob([input as string]),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, [marker]: rig, ...env },
    timeout,
    killSignal: "SIGKILL",
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** Runs it to its end. */
export async function runRunv(rig: string, args: readonly string[], options: RunvOptions = {}): Promise<Result> {
  const child = spawnRunv(rig, args, options);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

function imageFlags(): string[] {
  const [kernel, initrd] = ["kernel", "hyper-initrd.img"].map((name) => join(project, "dist/image", name)) as [
    string,
    string,
  ];
  return existsSync(kernel) ? ["--kernel", kernel, "--initrd", initrd] : [];
}
