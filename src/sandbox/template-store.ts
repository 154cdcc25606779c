/**
 * Saved machines, of which later ones are clones: `<store>/<key>/` with the machine's memory, the state of its devices, its boot's
 * console log and a description. A template appears by rename, whole; it is good as long as its files are as they were made, and
 * for this boot of the host.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { RunvError } from "../base/error";
import { fileProblem } from "../base/file-problem";
import { LOCK_EX, LOCK_NB } from "../linux/constants";
import { SystemError, syscall } from "../linux/local";

/** Most bytes on disk that templates may take; the oldest go first. */
const budget = 2 * 2 ** 30;

/** The files of a template. */
export interface TemplateFiles {
  directory: string;
  memory: string;
  state: string;
  console: string;
}

/** A template that is good to be cloned. */
export interface Template extends TemplateFiles {
  /** What its maker wanted clones to know. */
  notes: unknown;
}

interface Description {
  key: string;
  bootId: string;
  notes: unknown;
  memory: Fingerprint;
  state: Fingerprint;
}

/** Changes when a file's content does: nobody can set a file's ctime. */
interface Fingerprint {
  ino: string;
  size: string;
  ctime: string;
}

export class TemplateStore {
  constructor(readonly directory: string) {}

  /** The template of this key; undefined when there is none, or it was damaged and is gone now. */
  find(key: string): Template | undefined {
    const files = filesIn(`${this.directory}/${key}`);
    const description = readDescription(files.directory);
    if (description === undefined) return undefined;
    const { bootId, memory, state, notes } = description;
    const good = bootId === hostBoot() && unchanged(files.memory, memory) && unchanged(files.state, state);
    if (good && description.key === key) return { ...files, notes };
    this.drop(key);
    return undefined;
  }

  /**
   * Makes a template, unless somebody else is making one just now.
   * @param build writes the files, and returns the notes
   * @returns the template; undefined when it is somebody else's turn
   * @throws what `build` throws; nothing is left then
   */
  async make(key: string, build: (files: TemplateFiles) => Promise<unknown>): Promise<Template | undefined> {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const lock = openSync(`${this.directory}/.lock`, "w", 0o600);
    try {
      return tryLock(lock) ? await this.#makeAlone(key, build) : undefined;
    } finally {
      closeSync(lock);
    }
  }

  async #makeAlone(key: string, build: (files: TemplateFiles) => Promise<unknown>): Promise<Template | undefined> {
    this.#sweep();
    const files = filesIn(`${this.directory}/.new`);
    try {
      mkdirSync(files.directory, { mode: 0o700 });
      const notes = await build(files);
      const description: Description = {
        key,
        bootId: hostBoot(),
        notes,
        memory: fingerprint(files.memory),
        state: fingerprint(files.state),
      };
      writeFileSync(`${files.directory}/template.json`, JSON.stringify(description));
      renameSync(files.directory, `${this.directory}/${key}`);
      return this.find(key);
    } finally {
      rmSync(files.directory, { recursive: true, force: true });
    }
  }

  /** Removes a template. Machines that were cloned from it keep what they have mapped. */
  drop(key: string): void {
    rmSync(`${this.directory}/${key}`, { recursive: true, force: true });
  }

  /** Every template's key, how many bytes it takes on disk, and when it was made; the newest first. */
  list(): { key: string; bytes: number; made: Date }[] {
    return readNames(this.directory)
      .filter((name) => !name.startsWith("."))
      .map((key) => ({ key, ...sizeOf(filesIn(`${this.directory}/${key}`)) }))
      .sort((a, b) => b.made.getTime() - a.made.getTime());
  }

  /** Removes what is left of a maker that was killed, what is of another boot, and the oldest beyond the budget. */
  #sweep(): void {
    rmSync(`${this.directory}/.new`, { recursive: true, force: true });
    let bytes = 0;
    for (const { key, bytes: more } of this.list()) {
      bytes += more;
      const description = readDescription(`${this.directory}/${key}`);
      if (bytes > budget || description?.bootId !== hostBoot()) this.drop(key);
    }
  }
}

/** The key for all that a machine is made of: the same for the same, and nothing else has it. */
export function templateKey(parts: Readonly<Record<string, unknown>>): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
}

/**
 * A file as it is now, for `templateKey`: another content is another fingerprint.
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
    return JSON.stringify(fingerprint(path)) === JSON.stringify(then);
  } catch {
    return false;
  }
}

function filesIn(directory: string): TemplateFiles {
  const [memory, state, console] = ["memory", "state", "console.log"].map((name) => `${directory}/${name}`);
  return { directory, memory: memory!, state: state!, console: console! };
}

function readDescription(directory: string): Description | undefined {
  try {
    return JSON.parse(readFileSync(`${directory}/template.json`, "utf8")) as Description;
  } catch {
    return undefined;
  }
}

function sizeOf(files: TemplateFiles): { bytes: number; made: Date } {
  try {
    const { blocks, ctime } = statSync(files.memory);
    return { bytes: blocks * 512, made: ctime };
  } catch {
    return { bytes: 0, made: new Date(0) };
  }
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function tryLock(fd: number): boolean {
  try {
    syscall("flock", fd, LOCK_EX | LOCK_NB);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === "EAGAIN") return false;
    throw error;
  }
}

/** Files that were written just before a crash may lack their content: a template is good for one boot. */
function hostBoot(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
