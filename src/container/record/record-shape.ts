/** Whether what was found on disk is a container's record: files are cut by full disks and by hands. */
import { isObject } from "../../base/is-object";
import type { ContainerRecord } from "./store";

/** @param id of the container in whose directory it was found */
export function isRecord(value: unknown, id: string): value is ContainerRecord {
  if (!isObject(value) || value.id !== id) return false;
  return (Object.keys(shape) as (keyof typeof shape)[]).every((field) => shape[field](value[field]));
}

const isString = (value: unknown) => typeof value === "string";
const isBoolean = (value: unknown) => typeof value === "boolean";
const isIdentity = (value: unknown) =>
  isObject(value) && Number.isInteger(value.pid) && Number.isInteger(value.startTime);
const maybe = (check: (value: unknown) => boolean) => (value: unknown) => value === undefined || check(value);

/** What each command leans on. */
const shape = {
  ociVersion: isString,
  bundle: isString,
  rootfs: isString,
  rootDisk: maybe(isObject),
  passwd: maybe(isString),
  created: isString,
  owner: isString,
  annotations: isObject,
  phase: (value: unknown) => ["creating", "created", "running"].includes(value as string),
  paused: isBoolean,
  creator: isIdentity,
  byDaemon: isBoolean,
  sandbox: isString,
  cgroup: Array.isArray,
  monitor: maybe(isIdentity),
  machine: maybe(isIdentity),
  shim: maybe(isIdentity),
  init: maybe(Number.isInteger),
  driver: (value: unknown) => value === undefined || value === "host",
  process: isObject,
  namespaces: Array.isArray,
  owners: maybe((value) => isObject(value) && Array.isArray(value.uids) && Array.isArray(value.gids)),
  settings: isObject,
  hooks: isObject,
  resources: maybe(isObject),
} satisfies Partial<Record<keyof ContainerRecord, (value: unknown) => boolean>>;
