/** Keeps what `qemu --version` said, since it takes as long to say it as to start a machine. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** Each program of QEMU's has one. */
const fileOf = (path: string): string => `${basename(path)}.version.json`;

interface Cached {
  key: string;
  text: string;
}

/** What is kept of a program under this key; undefined when nothing is, or what is there is damaged. */
export function readCached(directory: string, path: string, key: string): string | undefined {
  try {
    const cached: Partial<Cached> = JSON.parse(readFileSync(join(directory, fileOf(path)), "utf8"));
    return cached.key === key && typeof cached.text === "string" ? cached.text : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps it in place of what was there. A directory that cannot be written to is no error: the next start asks again. */
export function writeCached(directory: string, path: string, key: string, text: string): void {
  const file = fileOf(path);
  const temporary = join(directory, `.${file}.${process.pid}`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(temporary, `${JSON.stringify({ key, text } satisfies Cached)}\n`, { mode: 0o600 });
    renameSync(temporary, join(directory, file));
  } catch {
    // Nothing is lost but the next start's 20 ms.
  }
}
