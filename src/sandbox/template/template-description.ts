/** What is written beside a saved machine: what it was made of, and how its files were then. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { RunvError } from "../../base/error";
import { fileProblem } from "../../base/file-problem";

/** The files of a template. */
export interface TemplateFiles {
  directory: string;
  memory: string;
  state: string;
  console: string;
}

/** Changes when a file's content does: nobody can set a file's ctime. */
export interface Fingerprint {
  ino: string;
  size: string;
  ctime: string;
}

/** What a machine is made of, for people. */
export interface Subject {
  /** Version and commit. */
  runv: string;
  driver: string;
  accelerator: string;
  hypervisor: string;
  kernel: string;
  initrd: string;
  cpus: number;
  memoryMiB: number;
  /** What its network interface is joined to. */
  network: "namespace" | "host" | "none";
}

export interface Description {
  key: string;
  /** Files that were written just before a crash may lack their content: a template is good for one boot. */
  bootId: string;
  subject: Subject;
  /** The files that it was made from. */
  sources: Record<string, Fingerprint>;
  /** What its maker wanted clones to know. */
  notes: unknown;
  memory: Fingerprint;
  state: Fingerprint;
}

/** `stale`: of another boot of the host, or made from files that have changed since. */
export type TemplateStatus = "good" | "stale" | "damaged";

/** The files in a template's directory. */
export function filesIn(directory: string): TemplateFiles {
  const [memory, state, console] = ["memory", "state", "console.log"].map((name) => `${directory}/${name}`);
  return { directory, memory: memory!, state: state!, console: console! };
}

/** Whether a template can be cloned. @param description as it was read; undefined when there is none that can be */
export function statusOf({ memory, state }: TemplateFiles, description: Description | undefined): TemplateStatus {
  if (description === undefined) return "damaged";
  if (description.bootId !== hostBoot()) return "stale";
  if (!unchanged(memory, description.memory) || !unchanged(state, description.state)) return "damaged";
  return Object.entries(description.sources).every(([path, then]) => unchanged(path, then)) ? "good" : "stale";
}

const name = "template.json";

/** Writes the description of files that are finished. */
export function describe(
  { directory, memory, state }: TemplateFiles,
  what: Omit<Description, "bootId" | "memory" | "state">,
): void {
  const files = { memory: fingerprint(memory), state: fingerprint(state) };
  const description: Description = { ...what, bootId: hostBoot(), ...files };
  writeFileSync(`${directory}/${name}`, JSON.stringify(description));
}

/** Reads a description; undefined when there is none, or half of one. */
export function readDescription(directory: string): Description | undefined {
  try {
    const description: Partial<Description> = JSON.parse(readFileSync(`${directory}/${name}`, "utf8"));
    const { subject, sources } = description;
    return subject !== undefined && sources !== undefined ? (description as Description) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A file as it is now: another content is another fingerprint.
 * @throws RunvError IMAGE_NOT_FOUND
 */
export function fingerprint(path: string): Fingerprint {
  try {
    const { ino, size, ctimeNs } = statSync(path, { bigint: true });
    return { ino: String(ino), size: String(size), ctime: String(ctimeNs) };
  } catch (cause) {
    const hint = "make kernel and initrd: runv image build";
    throw new RunvError("IMAGE_NOT_FOUND", `open ${path}: ${fileProblem(cause)}`, { cause, hint });
  }
}

function unchanged(path: string, then: Fingerprint): boolean {
  try {
    const { ino, size, ctime } = fingerprint(path);
    return ino === then.ino && size === then.size && ctime === then.ctime;
  } catch {
    return false;
  }
}

function hostBoot(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
