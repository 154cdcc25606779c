import { anyway } from "../../base/anyway";
import { span } from "../../base/trace";
import { signalProcess } from "../../linux/processes";
import { setTermios, termiosOf } from "../../linux/terminal";
import { exitCodeOf, waitForChild } from "../../linux/wait";
import type { RunOptions } from "../options";
import { changeRecord } from "../record/store";
import { onSignals } from "../shim/signals";
import { sayUnexecuted } from "../unexecuted";
import { carryTerminal } from "./console";
import { removeFromHost } from "./delete";
import { type MadeOnHost, makeOnHost } from "./make";
import type { HostProcess } from "./process";
import { runPoststart } from "./start";

/** `runv run` of a container on this host. @returns the exit code: the container's, or 0 when it is left to itself */
export async function runOnHost(options: RunOptions): Promise<number> {
  const { global, id, detach, keep } = options;
  const termios = detach ? undefined : termiosOf(0);
  try {
    const made = await span("create", () => makeOnHost(options, { detach, startedByAnother: false }));
    await span("start", () => startMade(made, global.root, detach));
    const code = detach ? 0 : await span("run", () => attendProcess(made.process));
    // As runc: what is left of it is told of, and the code is the container's.
    if (!detach && !keep) await span("delete", () => anyway(() => removeFromHost(global.root, id, true)));
    return code;
  } catch (error) {
    if (detach) throw error;
    return sayUnexecuted(error);
  } finally {
    if (termios !== undefined) setTermios(0, termios);
  }
}

async function startMade({ record, process, undo }: MadeOnHost, root: string, detach: boolean): Promise<void> {
  // Before it starts: what it says may have a caller send a signal at once.
  if (!detach) passSignals(() => process);
  try {
    const started = { ...record, phase: "running" as const };
    await changeRecord(
      root,
      started,
      async () => {
        process.go();
        process.next();
      },
      () => process.kill(),
    );
    await runPoststart(root, started);
  } catch (error) {
    await undo();
    throw error;
  }
  process.leave();
}

/** Passes on whatever signal comes to this command. @param to the process, which is there when this command waits for something */
export function passSignals(to: () => HostProcess | undefined): void {
  onSignals((signal) => {
    const process = to();
    if (process !== undefined) signalProcess(process.identity, signal);
  });
}

/** Stays with a process of this command's to its end, and carries its terminal. @returns its exit code */
export async function attendProcess(attended: HostProcess): Promise<number> {
  const terminal = carryTerminal(attended);
  const code = exitCodeOf(await waitForChild(attended.pid));
  await terminal?.finish();
  return code;
}
