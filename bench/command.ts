/** Running what is measured. A command that fails ends the benchmark: a figure of a failure would be none. */
import { environment } from "./runtimes";

const timeout = 300_000;

/** Runs a command to its end and returns the milliseconds that it took. Its output goes nowhere. */
export function time(words: readonly string[]): number {
  const start = performance.now();
  // Not a pipe: what the command leaves in the background would hold it open.
  const { exitCode, signalCode } = Bun.spawnSync([...words], {
    stdio: ["ignore", "ignore", "inherit"],
    env: environment(),
    timeout,
  });
  const elapsed = performance.now() - start;
  if (exitCode !== 0) throw failed(words, exitCode, signalCode);
  return elapsed;
}

/** Runs a command while others may run. */
export async function run(words: readonly string[]): Promise<void> {
  const child = Bun.spawn([...words], { stdio: ["ignore", "ignore", "inherit"], env: environment(), timeout });
  const exitCode = await child.exited;
  if (exitCode !== 0) throw failed(words, exitCode, child.signalCode);
}

/** What a command writes. */
export function ask(words: readonly string[]): string {
  const { exitCode, stdout } = Bun.spawnSync([...words], {
    stdio: ["ignore", "pipe", "inherit"],
    env: environment(),
    timeout,
  });
  if (exitCode !== 0) throw failed(words, exitCode);
  return stdout.toString();
}

function failed(words: readonly string[], exitCode: number | null, signal?: string | number | null): Error {
  return new Error(`${words.join(" ")}: ended with ${signal ?? exitCode}`);
}
