/** The process of a template, from which clones are forked, as tests see it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf } from "../../src/linux/identity";
import { type ProcessRecord, processFiles } from "../../src/sandbox/template/template-process";
import { type Rig, templatesOf } from "./rig";
import { until } from "./until";

/** The directories of a rig's templates. */
export function templates(rig: Rig): string[] {
  return readdirSync(templatesOf(rig))
    .filter((name) => !name.startsWith("."))
    .map((name) => join(templatesOf(rig), name));
}

/** Waits until the one template of a rig has its process, and returns its id. */
export async function readyProcess(rig: Rig): Promise<number> {
  const { record } = processFiles(templates(rig)[0]!);
  const read = () => (existsSync(record) ? (JSON.parse(readFileSync(record, "utf8")) as ProcessRecord) : {});
  await until(
    "the template's process is ready",
    () => read().notes !== undefined || read().problem !== undefined,
    60_000,
  );
  const { problem } = read();
  if (problem !== undefined) throw new Error(problem);
  return holders(rig)[0]!;
}

/** The processes that hold a rig's templates, and those that have ended but are still there. */
export function holders(rig: Rig): number[] {
  return readdirSync(templatesOf(rig))
    .map((name) => /^\.process-(\d+)$/.exec(name)?.[1])
    .filter((pid) => pid !== undefined)
    .map(Number)
    .filter((pid) => identityOf(pid) !== undefined);
}

/** The parent of a process. */
export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}
