/** What a daemon does first: it finds the containers of the one that was here before, and tells of what has ended meanwhile. */
import { remove } from "../container/delete";
import { tryReadRecord } from "../container/record/store";
import { isAlive } from "../linux/identity";
import { DaemonContainer } from "./container";
import { DaemonProcess } from "./process";
import type { InitRecord, ProcessRecord, StartedRecord } from "./process-store";
import type { Supervisor, SupervisorOptions } from "./supervisor";

/** @throws RunvError when what is left of a container cannot be removed */
export async function restore(supervisor: Supervisor, options: SupervisorOptions): Promise<void> {
  const { global, store, events } = options;
  const containers = new Map<string, DaemonContainer>();
  const found: Found[] = [];
  const records = store.list();
  for (const record of records.filter(isInit)) {
    if (!isStarted(record) || events.has("exit", record.key) || !wasContainerStarted(options, record)) {
      await remove(global.root, record.id, true);
      store.remove(record);
      continue;
    }
    if (!events.has("start-container", record.key)) {
      events.append({ type: "start-container", id: record.id, key: record.key });
    }
    const container = new DaemonContainer(global.root, events, record);
    containers.set(record.id, container);
    found.push({ container, process: new DaemonProcess(store, record), init: true });
  }
  for (const record of records) {
    const container = containers.get(record.id);
    if (isInit(record)) continue;
    if (
      container === undefined ||
      !isStarted(record) ||
      events.has("exit", record.key) ||
      !wasStarted(options, record)
    ) {
      store.remove(record);
      continue;
    }
    const { id, pid, key } = record;
    if (!events.has("start-process", key)) events.append({ type: "start-process", id, pid, key });
    found.push({ container, process: new DaemonProcess(store, record), init: false });
  }
  const [living, ended] = [found.filter(lives), found.filter((one) => !lives(one)).sort((a, b) => endOf(a) - endOf(b))];
  for (const { container, process, init } of [...living, ...ended.filter(({ init }) => init)]) {
    void container.attend(process);
    if (init && lives({ process })) void supervisor.attend(container);
  }
  for (const one of ended) {
    // A container's first process is the last to be told of.
    const before = one.init ? ended.filter(({ container, init }) => container === one.container && !init) : [one];
    for (const { container, process } of before) if (!process.told) await container.attend(process);
    if (one.init) await supervisor.attend(one.container);
  }
}

interface Found {
  container: DaemonContainer;
  process: DaemonProcess;
  init: boolean;
}

function isInit(record: ProcessRecord): record is InitRecord {
  return record.container !== undefined;
}

function isStarted<R extends ProcessRecord>(record: R): record is R & StartedRecord {
  return record.shim !== undefined;
}

function lives({ process }: Pick<Found, "process">): boolean {
  return isAlive(process.record.shim);
}

/** When nobody has recorded the end, it was no earlier than all others. */
function endOf({ process }: Found): number {
  return Date.parse(process.exit?.at ?? "") || Number.POSITIVE_INFINITY;
}

/** Whether a container came so far that its command ran: else nobody was told of it, and nobody is. */
function wasContainerStarted(
  { global, store, events }: SupervisorOptions,
  record: InitRecord & StartedRecord,
): boolean {
  if (events.has("start-container", record.key) || store.exit(record) !== undefined) return true;
  return tryReadRecord(global.root, record.id)?.phase === "running";
}

/** Whether a process was let go of by the daemon that started it: else it ended with that one. */
function wasStarted({ store, events }: SupervisorOptions, record: StartedRecord): boolean {
  return isAlive(record.shim) || events.has("start-process", record.key) || store.exit(record) !== undefined;
}
