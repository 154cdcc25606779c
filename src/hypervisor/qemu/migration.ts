/** A machine's devices saved and restored by QEMU's migration, which leaves memory out that is a shared file. */
import { RunvError } from "../../base/error";
import { escapeControls } from "../../base/escape";
import type { Qmp } from "./qmp";
import type { QemuVersion } from "./version";
import { changesFor } from "./versions";

/** How long saving may take: the state is less than a megabyte. */
const saveTimeoutMs = 20_000;
/** The name under which QEMU keeps the descriptor; or the set in which it does, beside the console's. */
const [state, stateSet] = ["state", 2];

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
  const state = giveState(qmp, to, await askVersion(qmp));
  await Promise.all([state.given, qmp.execute("migrate", { uri: state.uri }), state.release()]);
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(`not done after ${saveTimeoutMs / 1000} s`), saveTimeoutMs);
  const how = await Promise.race([events.ended, late.promise, qmp.closed.then(() => "qemu ended")]);
  clearTimeout(timer);
  if (how === "completed") return;
  const status = await qmp.execute<{ "error-desc"?: unknown }>("query-migrate").catch(() => undefined);
  throw new RunvError("VM_SAVE", `save the virtual machine: ${escapeControls(String(status?.["error-desc"] ?? how))}`);
}

/** Has a machine that was started for it take up a saved state. It runs as soon as that is read. */
export async function restore(qmp: Qmp, from: number, version: QemuVersion): Promise<void> {
  // Sent together: QEMU takes them one after the other.
  const state = giveState(qmp, from, version);
  await Promise.all([
    state.given,
    setCapabilities(qmp, ["x-ignore-shared"]),
    qmp.execute("migrate-incoming", { uri: state.uri }),
    state.release(),
  ]);
}

/** Gives QEMU a file for a machine's state. `release` is to be sent after what uses its URI, for which QEMU has a copy of its own. */
function giveState(qmp: Qmp, file: number, version: QemuVersion) {
  if (!changesFor(version).stateInSet) {
    const given = qmp.execute("getfd", { fdname: state }, undefined, file);
    return { uri: `fd:${state}`, given, release: async () => {} };
  }
  const set = { "fdset-id": stateSet };
  const given = qmp.execute("add-fd", set, undefined, file);
  // What were left in the set, machines forked from this one could not have.
  return { uri: `file:/dev/fdset/${stateSet}`, given, release: () => qmp.execute("remove-fd", set) };
}

async function askVersion(qmp: Qmp): Promise<QemuVersion> {
  const { qemu } = await qmp.execute<{ qemu: { major: number; minor: number; micro: number } }>("query-version");
  return [qemu.major, qemu.minor, qemu.micro];
}

async function setCapabilities(qmp: Qmp, names: readonly string[]): Promise<void> {
  const capabilities = names.map((capability) => ({ capability, state: true }));
  await qmp.execute("migrate-set-capabilities", { capabilities });
}
