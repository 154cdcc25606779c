/**
 * The log, in logrus' two formats, since that is what Docker, containerd and podman read: one line for each event,
 * appended at once. Nothing is logged below `info` unless debugging.
 */
import { openSync } from "node:fs";
import { RunvError } from "./error";
import { escapeControls, quote } from "./escape";
import { fileProblem } from "./file-problem";
import { writeAll, writeSome } from "./output";

export type Level = "debug" | "info" | "warning" | "error";
export type LogFormat = "text" | "json";
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LogOptions {
  /** Where to append; standard error if undefined. */
  file?: string | undefined;
  format?: LogFormat;
  debug?: boolean;
  /** An open descriptor in the file's place, of which nobody may read: what it does not take at once is lost. */
  descriptor?: number | undefined;
}

let settings = { fd: 2, format: "text" as LogFormat, debug: false, lossy: false };

/** Says where the log of this process goes from now on. */
export function openLog({ file, format = "text", debug = false, descriptor }: LogOptions): void {
  const fd = descriptor ?? (file === undefined ? 2 : open(file));
  settings = { fd, format, debug, lossy: descriptor !== undefined };
}

/** Whether the log is standard error, so that what is logged need not be printed as well. */
export function logsToStderr(): boolean {
  return settings.fd === 2;
}

/** Whether debug lines are written. */
export function debugs(): boolean {
  return settings.debug;
}

export const log = {
  debug: (message: string, fields?: Fields) => {
    if (settings.debug) write("debug", message, fields);
  },
  info: (message: string, fields?: Fields) => write("info", message, fields),
  warn: (message: string, fields?: Fields) => write("warning", message, fields),
  error: (message: string, fields?: Fields) => write("error", message, fields),
};

/** One line of the log, without its newline. */
export function formatLine(
  format: LogFormat,
  level: Level,
  message: string,
  fields: Fields = {},
  now = new Date(),
): string {
  const time = `${now.toISOString().slice(0, 19)}Z`;
  const extra = Object.entries(fields).filter(([, value]) => value !== undefined);
  const safe = (value: unknown) => (typeof value === "string" ? escapeControls(value) : value);
  if (format === "json") {
    const all = [...extra, ["level", level], ["msg", message], ["time", time]] as [string, unknown][];
    const sorted = all.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, safe(value)]);
    return JSON.stringify(Object.fromEntries(sorted));
  }
  const all = [["time", time], ["level", level], ["msg", message], ...extra];
  return all.map(([key, value]) => `${key}=${word(String(value))}`).join(" ");
}

function word(text: string): string {
  return /^[\w./@^+-]+$/.test(text) ? text : quote(text);
}

function write(level: Level, message: string, fields?: Fields): void {
  const line = `${formatLine(settings.format, level, message, fields)}\n`;
  if (settings.lossy) writeSome(settings.fd, line);
  else writeAll(settings.fd, line);
}

function open(file: string): number {
  try {
    return openSync(file, "a", 0o644);
  } catch (error) {
    throw new RunvError("LOG_UNWRITABLE", `open log file ${file}: ${fileProblem(error)}`, { cause: error });
  }
}
