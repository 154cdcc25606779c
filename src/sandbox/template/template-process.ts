/**
 * The process of a template, from which clones are forked: where it is found, and how it is started. It has three files in the template's
 * directory: a lock, a socket, and what clones must know of it.
 */
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import type { TemplateSettings } from "../../base/settings";
import type { ForkParent } from "../../hypervisor/driver";
import { availableMiB } from "../../linux/available-memory";
import { tryLock, waitForLock } from "../../linux/file-lock";
import { type Identity, isAlive } from "../../linux/identity";
import { idNamespaces } from "../../linux/namespaces";
import { signalProcess } from "../../linux/processes";
import { SIGTERM } from "../../linux/signals";
import { encodeFrame } from "../../wire/frame";
import { startBackground } from "../background";
import type { LaunchRequest } from "../messages";
import { removeSandbox } from "../paths";
import { roomProblem } from "./template-room";

/** What such a process is to do: fork machines like this one. */
export type ProcessTask = Omit<LaunchRequest, "op">;

/** The frame that carries the task, as JSON, over the socket that it inherits as descriptor 3. */
export const taskFrame = 115;

/** What is written of it: who it is, `notes` when clones are to be had, `problem` when there will be none. */
export interface ProcessRecord {
  process?: Identity;
  notes?: unknown;
  /** The namespaces whose ids it has: who is in others cannot take what is forked from it. */
  namespaces?: string;
  problem?: string;
}

/** The directory of such a process, in that of the templates, is called so, and by its process id. */
export const processPrefix = ".process-";

/** The files of a template's process. @param template the template's directory */
export function processFiles(template: string) {
  return { lock: `${template}/process.lock`, socket: `${template}/process.socket`, record: `${template}/process.json` };
}

/** The process of a template, if it has one that is ready, and that is in namespaces of this process. */
export function findProcess(template: string): ForkParent | undefined {
  const { socket, record } = processFiles(template);
  const { notes, namespaces } = readRecord(record) ?? {};
  return notes !== undefined && namespaces === idNamespaces() ? { socket, notes } : undefined;
}

/** Why a template has no process, where one was tried. */
export function readProblem(template: string): string | undefined {
  return readRecord(processFiles(template).record)?.problem;
}

/** How it is with the process of a template: `ready`, `starting`, `none`, or why there will be none. */
export function processStatus(template: string): string {
  const { process, notes, problem } = readRecord(processFiles(template).record) ?? {};
  if (problem !== undefined) return problem;
  if (process === undefined || !isAlive(process)) return "none";
  return notes === undefined ? "starting" : "ready";
}

/**
 * Whether a process is to be started for a template: it has none, nobody starts one, and there is room for it. Where it did not come to be, or
 * was of no use, it is tried again after a while.
 */
export function lacksProcess(template: string, { idleSeconds, reserveMiB }: TemplateSettings): boolean {
  if (idleSeconds === 0 || availableMiB() < reserveMiB) return false;
  // Its files are small, but where they cannot be written it would come to nothing, each time.
  if (roomProblem(template, 1, 1) !== undefined) return false;
  const { record } = processFiles(template);
  const { process, namespaces, problem } = readRecord(record) ?? {};
  if (problem !== undefined) {
    const written = statSync(record, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return Date.now() - written >= idleSeconds * 1000;
  }
  // The ids of other namespaces say nothing here. That nobody else is starting one just now, the lock decides, which is not tried for this: it
  // would be taken from whoever needs it.
  return process === undefined || (namespaces === idNamespaces() && !isAlive(process));
}

/** Starts the process of a template. It takes a second or two until it is ready. */
export function startProcess(task: ProcessTask): void {
  const { socket } = startBackground(["template-process"]);
  writeSync(socket, encodeFrame(taskFrame, 0, Buffer.from(JSON.stringify(task))));
  closeSync(socket);
}

/** Takes the lock of a template's process. @returns its descriptor; undefined when somebody has it, or the template is gone */
export function takeLock(path: string): number | undefined {
  let lock: number | undefined;
  try {
    lock = openSync(path, "w", 0o600);
    if (tryLock(lock)) return lock;
  } catch {
    // The template is gone.
  }
  if (lock !== undefined) closeSync(lock);
  return undefined;
}

/** Says that a process is ready, or that there will be none. */
export function writeRecord(path: string, record: ProcessRecord): void {
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Has nobody come to a process any more, which ends itself then. @param problem why nobody is to start another one for a while */
export function dismissProcess(template: string, problem?: string): void {
  const { socket, record } = processFiles(template);
  if (problem === undefined) rmSync(record, { force: true });
  else writeRecord(record, { problem });
  rmSync(socket, { force: true });
}

/** Ends the process of a template, if it has one, and blocks until that has ended. @throws SystemError */
export function endProcess(template: string): void {
  const { lock: path, record } = processFiles(template);
  const process = readRecord(record)?.process;
  dismissProcess(template);
  if (process !== undefined) signalProcess(process, SIGTERM);
  const lock = openSync(path, "w", 0o600);
  waitForLock(lock);
  closeSync(lock);
  // One that was starting still leaves it.
  if (process !== undefined) removeSandbox(`${dirname(template)}/${processPrefix}${process.pid}`);
}

/** Notes that somebody was forked, for the process to wait on. */
export function noteUse(template: string): void {
  const now = new Date();
  try {
    utimesSync(processFiles(template).record, now, now);
  } catch {
    // It is ending just now.
  }
}

function readRecord(path: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ProcessRecord;
  } catch {
    return undefined;
  }
}
