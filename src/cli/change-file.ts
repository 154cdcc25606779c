/** A change to another program's configuration file: it is shown, and made. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, RunvError } from "../base/error";
import { print } from "../base/output";

export interface FileChange {
  file: string;
  /** What is to be in the file. @param text what is in it; undefined when it is not there @returns undefined when it is to go */
  change(text: string | undefined): string | undefined;
  /** The file as this program writes it, so that only what changes is shown. */
  pretty(text: string): string;
  /** It is only shown. */
  dryRun: boolean;
  /** The code of the error when it cannot be read or written. */
  code: string;
  /** What is said when it is made: what is to be done now. */
  next: string;
}

/** Shows the change, and makes it. @returns the exit code @throws RunvError of that code */
export function changeFile({ file, change, pretty, dryRun, code, next }: FileChange): number {
  const text = read(file, code);
  const before = text === undefined ? undefined : pretty(text);
  const after = change(text);
  if (after === text || after === before) {
    print(`${file}: nothing to change\n`);
    return 0;
  }
  print(`${file}:\n${difference(before ?? "", after ?? "")}`);
  if (dryRun) return 0;
  write(file, after, code);
  print(`${next}\n`);
  return 0;
}

/** The lines that differ, with `-` and `+` before them, among those that do not. */
export function difference(before: string, after: string): string {
  const [old, now] = [before, after].map((text) => text.split("\n").slice(0, -1)) as [string[], string[]];
  let [start, end] = [0, 0];
  while (start < Math.min(old.length, now.length) && old[start] === now[start]) start++;
  const rest = Math.min(old.length, now.length) - start;
  while (end < rest && old.at(-1 - end) === now.at(-1 - end)) end++;
  const mark = (sign: string, lines: readonly string[]) => lines.map((line) => `${sign} ${line}\n`);
  return [
    ...mark(" ", now.slice(0, start)),
    ...mark("-", old.slice(start, old.length - end)),
    ...mark("+", now.slice(start, now.length - end)),
    ...mark(" ", now.slice(now.length - end)),
  ].join("");
}

function read(file: string, code: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new RunvError(code, `read ${file}: ${messageOf(cause)}`, { cause });
  }
}

function write(file: string, text: string | undefined, code: string): void {
  try {
    if (text === undefined) {
      rmSync(file);
      return;
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.runv`, text, { mode: 0o644 });
    renameSync(`${file}.runv`, file);
  } catch (cause) {
    throw new RunvError(code, `write ${file}: ${messageOf(cause)}`, { cause, hint: "it takes root" });
  }
}
