/** Finds what execve(2) is to be given, as execvp(3) does and with runc's words. */
import { AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, X_OK } from "../../linux/constants";
import { errnoOf } from "../../linux/errno";
import type { Process } from "../../oci/process";
import type { Assembler, Label, Operand, Register } from "../../program/assembler";
import { failing } from "./failing";

/** What makes a path one that is not there, or may not be looked for. */
const unusableErrors = ["ENOENT", "ENOTDIR", "EACCES"] as const;

/** How many directories are held open at most. */
const mostShared = 8;

/**
 * @param absent paths at which it is known not to be
 * @returns a register with the address of the command's path
 */
export function findCommand(p: Assembler, process: Process, absent: ReadonlySet<string> = new Set()): Register {
  const [name = ""] = process.args;
  const [command, denied, result, file] = [p.register(), p.register(), p.register(), p.register()];
  const found = p.label();
  p.set(denied, 0);
  const candidates = candidatesOf(process).filter((path) => !absent.has(path));
  const shared = new SharedDirectories(p, candidates);
  p.doing(`${failing}: exec: ${JSON.stringify(name)}`, { command: true });
  for (const candidate of candidates) {
    const [unusable, forbidden, held, next] = [p.label(), p.label(), p.label(), p.label()];
    const { base, rest } = shared.enter(candidate, result, unusable);
    const unless = { accept: unusableErrors, otherwise: unusable };
    p.syscall("openat", [base, p.text(rest), O_PATH | O_CLOEXEC], { ...unless, into: result });
    p.set(file, result);
    const mayExecute = [file, p.text(""), X_OK, AT_EACCESS | AT_EMPTY_PATH];
    p.syscall("faccessat2", mayExecute, { accept: ["EACCES"], otherwise: held });
    p.set(command, p.text(candidate));
    // Of a file there is no ".".
    const directory = [file, p.text("."), O_PATH | O_DIRECTORY | O_CLOEXEC];
    p.syscall("openat", directory, { into: result, accept: ["ENOTDIR"], otherwise: found });
    p.syscall("close", [result]);
    p.place(held);
    p.syscall("close", [file]);
    p.jump(forbidden);
    p.place(unusable);
    p.jumpIf(result, "≠", -errnoOf("EACCES"), next);
    p.place(forbidden);
    p.set(denied, 1);
    p.place(next);
  }
  const missing = p.label();
  p.jumpIf(denied, "=", 0, missing);
  p.fail(errnoOf("EACCES"));
  p.place(missing);
  if (name.includes("/")) p.doing(`${failing}: exec: ${JSON.stringify(name)}: stat ${name}`, { command: true });
  else p.doing(`${failing}: exec: ${JSON.stringify(name)}: executable file not found in $PATH`, { complete: true });
  p.fail(errnoOf("ENOENT"));
  p.place(found);
  p.syscall("close", [file]);
  shared.close();
  p.release(denied, result, file);
  return command;
}

/** The paths to try: the command itself when it has a slash, otherwise in each directory of its PATH (execvp(3)); none for no name. */
export function candidatesOf({ args: [name = ""], env }: Pick<Process, "args" | "env">): string[] {
  if (name === "") return [];
  if (name.includes("/")) return [name];
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice(5) ?? "";
  return path.split(":").map((directory) => (directory === "" ? `./${name}` : `${directory}/${name}`));
}

/**
 * The directories that several candidates are below, as /usr. Each is opened once: on the share every step of every path is a request
 * to the host.
 */
class SharedDirectories {
  readonly #p: Assembler;
  readonly #opened = new Set<string>();
  /** Each with its descriptor; −errno when it cannot be opened. */
  readonly #descriptors: ReadonlyMap<string, Register>;

  constructor(p: Assembler, candidates: readonly string[]) {
    this.#p = p;
    const counts = new Map<string, number>();
    for (const way of candidates.flatMap(directoriesAbove)) counts.set(way, (counts.get(way) ?? 0) + 1);
    const shared = [...counts].filter(([, count]) => count > 1).map(([way]) => way);
    this.#descriptors = new Map(shared.slice(0, mostShared).map((way) => [way, p.register()]));
    for (const descriptor of this.#descriptors.values()) p.set(descriptor, -1);
  }

  /**
   * Opens what a candidate shares with others, unless it is open.
   * @param into set to −errno when that cannot be opened, before the jump to `otherwise`
   * @returns what the rest of the candidate's path is to be opened from
   */
  enter(candidate: string, into: Register, otherwise: Label): { base: Operand; rest: string } {
    const p = this.#p;
    let base: Operand = AT_FDCWD;
    let rest = candidate;
    for (const way of directoriesAbove(candidate)) {
      const descriptor = this.#descriptors.get(way);
      if (descriptor === undefined) continue;
      if (!this.#opened.has(way)) {
        const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
        const name = way.slice(candidate.length - rest.length);
        p.syscall("openat", [base, p.text(name), flags], { into: descriptor, accept: unusableErrors });
        this.#opened.add(way);
      }
      p.set(into, descriptor);
      p.jumpIf(into, "<", 0, otherwise);
      base = descriptor;
      rest = candidate.slice(way.length).replace(/^\/+/, "");
    }
    return { base, rest };
  }

  close(): void {
    for (const descriptor of this.#descriptors.values()) {
      this.#p.syscall("close", [descriptor], { accept: ["EBADF"] });
      this.#p.release(descriptor);
    }
  }
}

/** The directories on the way to a file, without the root: /usr and /usr/bin of /usr/bin/env. */
function directoriesAbove(path: string): string[] {
  return [...path.matchAll(/(?<=[^/])\/+(?=[^/])/g)].map(({ index }) => path.slice(0, index));
}
