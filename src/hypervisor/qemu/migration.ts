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
  await setCapabilities(qmp, { "x-ignore-shared": true, events: true });
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

/**
 * Saves the devices of a machine that stands still, which stays as it is. QEMU's migration would write the memory too, unless that is a shared file; this is
 * the command by which it is done where somebody else looks after the memory, as Xen does.
 * @param to a descriptor that is open for writing only
 * @returns what has QEMU close it: before 9.1 it does so in a machine that runs only (monitor_fdset_cleanup)
 */
export async function saveDevices(qmp: Qmp, to: number): Promise<() => Promise<unknown>> {
  const set = { "fdset-id": stateSet };
  await qmp.execute("add-fd", set, undefined, to);
  const release = () => qmp.execute("remove-fd", set);
  try {
    const filename = `/dev/fdset/${stateSet}`;
    await qmp.execute("xen-save-devices-state", { filename, live: false }, saveTimeoutMs);
    return release;
  } catch (error) {
    await release();
    throw error;
  }
}

/** Has a machine that was started for it take up a saved state. It runs as soon as that is read. */
export async function restore(qmp: Qmp, from: number, version: QemuVersion): Promise<void> {
  await takeUp(qmp, from, version, { "x-ignore-shared": true });
}

/** Has a machine that was started for it take up devices that were saved so, and run. @throws RunvError VM_RESTORE */
export async function restoreDevices(
  qmp: Qmp,
  from: number,
  version: QemuVersion,
  events: MigrationEvents,
): Promise<void> {
  await takeUp(qmp, from, version, { events: true });
  const how = await Promise.race([events.ended, qmp.closed.then(() => "qemu ended")]);
  if (how !== "completed") throw new RunvError("VM_RESTORE", `restore the virtual machine: ${how}`);
  // It stood still when it was saved.
  await qmp.execute("cont");
}

async function takeUp(
  qmp: Qmp,
  from: number,
  version: QemuVersion,
  capabilities: Readonly<Record<string, boolean>>,
): Promise<void> {
  // Sent together: QEMU takes them one after the other.
  const state = giveState(qmp, from, version);
  await Promise.all([
    state.given,
    setCapabilities(qmp, capabilities),
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

async function setCapabilities(qmp: Qmp, states: Readonly<Record<string, boolean>>): Promise<void> {
  const capabilities = Object.entries(states).map(([capability, state]) => ({ capability, state }));
  await qmp.execute("migrate-set-capabilities", { capabilities });
}
