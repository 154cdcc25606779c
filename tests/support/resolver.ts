import { join } from "node:path";

const program = join(import.meta.dir, "fake-resolver.ts");

/** Starts a resolver in a network namespace: see `fake-resolver.ts` for its words. */
export async function startResolver(path: string, ...words: string[]): Promise<Bun.Subprocess> {
  const child = Bun.spawn(["nsenter", `--net=${path}`, process.execPath, program, ...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  await child.stdout.getReader().read();
  return child;
}
