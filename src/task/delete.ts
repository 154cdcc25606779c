/** `containerd-shim-runv-v2 delete`: removes what is left of a task whose shim is gone, and tells how it ended. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../base/error";
import { log } from "../base/log";
import type { GlobalOptions } from "../base/settings";
import { now, parseTime } from "../base/time";
import { remove } from "../container/delete";
import { readExit, tryReadRecord } from "../container/record/store";
import { toTimestamp } from "../protobuf/timestamp";
import { TtrpcClient } from "../ttrpc/client";
import { codec } from "./messages";
import { rootOf, shimDirectory, socketOf } from "./places";
import { unmountAll } from "./rootfs";

/** What a task is said to have ended with that was killed with its shim. */
const killedCode = 128 + 9;

export interface DeleteOptions {
  global: GlobalOptions;
  namespace: string;
  /** containerd's. */
  address: string;
  id: string;
  /** Absolute. */
  bundle: string;
}

/** @returns the bytes for standard output: a DeleteResponse, which becomes the task's exit word for word */
export async function deleteShim({ global, namespace, address, id, bundle }: DeleteOptions): Promise<Uint8Array> {
  const root = rootOf(global.root, namespace);
  const record = tryReadRecord(root, id);
  const exit = record === undefined ? undefined : readExit(root, id);
  await remove(root, id, true);
  unmountAll(join(bundle, "rootfs"));
  await removeDirectory(shimDirectory(global.root, address, namespace, id));
  return codec("DeleteResponse").encode({
    pid: record?.shim?.pid ?? 0,
    exit_status: exit?.code ?? killedCode,
    exited_at: toTimestamp(parseTime(exit?.at ?? "") ?? now()),
  });
}

/** The shim's own, unless one serves there: of a pod, whose other containers go on. */
async function removeDirectory(directory: string): Promise<void> {
  try {
    (await TtrpcClient.connect(socketOf(directory))).close();
  } catch (error) {
    log.debug(messageOf(error));
    rmSync(directory, { recursive: true, force: true });
  }
}
