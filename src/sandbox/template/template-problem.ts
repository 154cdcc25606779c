/**
 * Templates that could not be made. A machine of that shape boots then, and is not the next to try for a while: each attempt is a boot beside it.
 * What is remembered of it lies in the templates' directory, as far as it can be written to.
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";

/** How long until it is tried again. */
const retryMs = 300_000;
const prefix = ".problem-";

const pathOf = (store: string, key: string) => `${store}/${prefix}${key}`;

/** What a machine would fail of without a template, too: what its kernel, its image or its hypervisor lack. */
const ofTheMachine =
  /^(VM_(KERNEL|AGENT|DRIVER|VIRTIOFSD|STORAGE)_|VM_(IMAGE_WRONG|STALLED|QEMU_(MISSING|OLD|TIMEOUT))$|IMAGE_)/;

/** Whether an error in the making of a template costs the template only. */
export function costsTheTemplate(error: unknown): boolean {
  return !(error instanceof RunvError && ofTheMachine.test(error.code));
}

/** Remembers why a template could not be made. @param store the templates' directory */
export function noteProblem(store: string, key: string, error: unknown): void {
  try {
    writeFileSync(pathOf(store, key), messageOf(error), { mode: 0o600 });
  } catch {
    // Where nothing can be written, that is found out before anything boots: template-room.ts.
  }
}

/** Whether a template could not be made just now. */
export function failedLately(store: string, key: string): boolean {
  const written = statSync(pathOf(store, key), { throwIfNoEntry: false })?.mtimeMs;
  return written !== undefined && Date.now() - written < retryMs;
}

/** Forgets it. */
export function forgetProblem(store: string, key: string): void {
  rmSync(pathOf(store, key), { force: true });
}

/** What is remembered, of the last minutes; what is older is forgotten. */
export function templateProblems(store: string): { key: string; problem: string }[] {
  const found: { key: string; problem: string }[] = [];
  for (const name of namesIn(store)) {
    if (!name.startsWith(prefix)) continue;
    const key = name.slice(prefix.length);
    if (failedLately(store, key)) found.push({ key, problem: readFileSync(`${store}/${name}`, "utf8") });
    else forgetProblem(store, key);
  }
  return found;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
