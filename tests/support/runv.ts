/** Running `dist/runv` (or what RUNV_BINARY names) as its callers do. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hostDriver } from "../../src/base/host-driver";
import { imageIn } from "../../src/image/paths";
import { imageDirectory } from "./architecture";
import { patience } from "./patience";

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
  /** For standard input: its content, a file, or a descriptor; nothing if undefined. */
  input?: string | Uint8Array | Blob | number | "pipe";
  cwd?: string;
  env?: Record<string, string>;
  /** Files for standard output and standard error, which a container that outlives the command goes on to write to. */
  stdout?: string;
  stderr?: string;
  /** The words of a command that runs it. */
  through?: readonly string[];
  /** Its containers are this host's own processes. */
  withoutMachine?: boolean;
  /** The whole is killed after so many milliseconds; a test must not hang. */
  timeout?: number;
}

/** Starts runv with the image that was made for tests, unless the arguments say otherwise; its output comes by pipes. */
export function spawnRunv(rig: string, args: readonly string[], options: RunvOptions = {}) {
  return Bun.spawn(commandLine(args, options.withoutMachine), {
    ...common(rig, options),
    stdout: "pipe",
    stderr: "pipe",
  });
}

/**
 * Runs it to its end. Its output goes to files: a container that it leaves behind keeps them open, as it would the pipes
 * of a caller, and a reader of pipes would wait for the container.
 */
export async function runRunv(rig: string, args: readonly string[], options: RunvOptions = {}): Promise<Result> {
  const directory = mkdtempSync("/tmp/runv-output-");
  try {
    const { stdout = join(directory, "stdout"), stderr = join(directory, "stderr") } = options;
    const files = { stdout: Bun.file(stdout), stderr: Bun.file(stderr) };
    const { through = [], withoutMachine } = options;
    const code = await Bun.spawn([...through, ...commandLine(args, withoutMachine)], {
      ...common(rig, options),
      ...files,
    }).exited;
    return { code, stdout: await files.stdout.text(), stderr: await files.stderr.text() };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The words of a command line that runs it. */
export function commandLine(args: readonly string[], withoutMachine = false): string[] {
  return [binary, ...(withoutMachine ? ["--driver", hostDriver] : imageFlags()), ...args];
}

function common(rig: string, { input, cwd, env, timeout = 120_000 }: RunvOptions) {
  return {
    stdin: stdinOf(input),
    env: { ...process.env, [marker]: rig, ...env },
    timeout: timeout * patience,
    killSignal: "SIGKILL" as const,
    ...(cwd === undefined ? {} : { cwd }),
  };
}

function stdinOf(input: RunvOptions["input"]): "ignore" | "pipe" | number | Blob {
  if (input === undefined) return "ignore";
  if (typeof input === "string") return input === "pipe" ? input : new Blob([input]);
  return input instanceof Uint8Array ? new Blob([new Uint8Array(input)]) : input;
}

/** The flags that name an image, the tests' own unless told; none where there is none. */
export function imageFlags(directory = imageDirectory()): string[] {
  const { kernel, initrd } = imageIn(directory);
  return existsSync(kernel) ? ["--kernel", kernel, "--initrd", initrd] : [];
}
