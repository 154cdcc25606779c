/** The real runc, run beside runv: what it does and says is how a runtime behaves. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "./runv";
import { marker } from "./runv";

/** Runs `runc --root ROOT ARGS`, with a root of its own below the rig's directory. Its output goes to files, as runv's. */
export async function runc(
  { directory, name }: { directory: string; name: string },
  args: readonly string[],
): Promise<Result> {
  const outputs = mkdtempSync(join(directory, "runc-output-"));
  const [stdout, stderr] = [Bun.file(join(outputs, "stdout")), Bun.file(join(outputs, "stderr"))];
  const code = await Bun.spawn(["runc", "--root", join(directory, "runc"), ...args], {
    stdin: "ignore",
    stdout,
    stderr,
    env: { ...process.env, [marker]: name },
    timeout: 60_000,
    killSignal: "SIGKILL",
  }).exited;
  return { code, stdout: await stdout.text(), stderr: await stderr.text() };
}

/** Removes runc's root. */
export function forgetRunc({ directory }: { directory: string }): void {
  rmSync(join(directory, "runc"), { recursive: true, force: true });
}

/** What a runtime said, without what differs from call to call: the time, the process id, and which of the two it was; nor a last newline. */
export function normalized({ code, stdout, stderr }: Result): Result {
  const clean = (text: string) =>
    text
      .replaceAll(/time="[^"]*" /g, "")
      .replaceAll(/ code=\w+/g, "")
      .replaceAll(/^hint: .*\n/gm, "")
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z( +)?/g, "TIME ")
      .replaceAll(/"pid": [1-9]\d*/g, '"pid": PID')
      .replaceAll(/"ociVersion": "[^"]*"/g, '"ociVersion": VERSION')
      .replaceAll(/"owner": "[^"]*"/g, '"owner": OWNER')
      .replaceAll(/\brunc\b/g, "runv")
      .trimEnd();
  return { code, stdout: clean(stdout), stderr: clean(stderr) };
}
