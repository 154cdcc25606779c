/** A machine's devices saved and restored by QEMU's migration, which leaves memory out that is a shared file. */
import { RunvError } from "../../base/error";
import { escapeControls } from "../../base/escape";
import type { Qmp } from "./qmp";

/** How long saving may take: the state is less than a megabyte. */
const saveTimeoutMs = 20_000;
/** The name under which QEMU keeps the descriptor. */
const state = "state";

/** How a migration goes, as QEMU's events tell. */
export class MigrationEvents {
  readonly #ended = Promise.withResolvers<string>();

  changed(status: string): void {
    if (status === "completed" || status === "failed") this.#ended.resolve(status);
  }

  /** "completed" or "failed". */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }
}

/** Saves a machine's devices. QEMU stops it for that, so that the memory and the devices are of one moment. */
export async function save(qmp: Qmp, to: number, events: MigrationEvents): Promise<void> {
  await setCapabilities(qmp, ["x-ignore-shared", "events"]);
  await qmp.execute("getfd", { fdname: state }, undefined, to);
  await qmp.execute("migrate", { uri: `fd:${state}` });
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(`not done after ${saveTimeoutMs / 1000} s`), saveTimeoutMs);
  const how = await Promise.race([events.ended, late.promise, qmp.closed.then(() => "qemu ended")]);
  clearTimeout(timer);
  if (how === "completed") return;
  const status = await qmp.execute<{ "error-desc"?: unknown }>("query-migrate").catch(() => undefined);
  throw new RunvError("VM_SAVE", `save the virtual machine: ${escapeControls(String(status?.["error-desc"] ?? how))}`);
}

/** Has a machine that was started for it take up a saved state. It runs as soon as that is read. */
export async function restore(qmp: Qmp, from: number): Promise<void> {
  // Sent together: QEMU takes them one after the other.
  await Promise.all([
    qmp.execute("getfd", { fdname: state }, undefined, from),
    setCapabilities(qmp, ["x-ignore-shared"]),
    qmp.execute("migrate-incoming", { uri: `fd:${state}` }),
  ]);
}

async function setCapabilities(qmp: Qmp, names: readonly string[]): Promise<void> {
  const capabilities = names.map((capability) => ({ capability, state: true }));
  await qmp.execute("migrate-set-capabilities", { capabilities });
}
