/** What is wrong with a document, and where. */
import { RunvError } from "../base/error";
import { quote as quoteAll } from "../base/escape";
import type { Reader } from "./reader";

/** What is wrong with a value; the readers of arrays and objects put the way to it in front. */
export class Mismatch extends Error {
  readonly path: (string | number)[] = [];
}

/** Refuses the value at hand: `says` follows the path in the message. */
export function mismatch(says: string): never {
  throw new Mismatch(says);
}

/** A value for a message: quoted, on one line, without control characters, and short. */
export function quote(text: string): string {
  return quoteAll(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "bigint") return "a number";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Refuses a value of the wrong type. */
export function expected(what: string, value: unknown): never {
  return mismatch(`expected ${what}, got ${kindOf(value)}`);
}

/** `process.args[2]`; a key with other characters than letters, digits, - and _ as `linux.sysctl["net.core"]`. */
function formatPath(path: readonly (string | number)[]): string {
  let out = "";
  for (const step of path) {
    if (typeof step === "number") out += `[${step}]`;
    else if (!/^[\w-]+$/.test(step)) out += `[${quote(step)}]`;
    else out += out === "" ? step : `.${step}`;
  }
  return out;
}

/**
 * Runs a reader on a whole document.
 * @throws RunvError CONFIG_INVALID: `mounts[2].destination: must be an absolute path`
 */
export function readDocument<T>(read: Reader<T>, document: unknown): T {
  try {
    return read(document);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    const path = formatPath(error.path);
    throw new RunvError("CONFIG_INVALID", path === "" ? error.message : `${path}: ${error.message}`);
  }
}

/** Refuses a document for what its fields say together; `path` names the field at fault. */
export function refuse(path: string, says: string): never {
  throw new RunvError("CONFIG_INVALID", `${path}: ${says}`);
}
