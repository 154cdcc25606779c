/**
 * Reading JSON that people write by hand: what is wrong with it is told by line and column, and integers beyond 2^53
 * come out exactly, as bigint. The engine's own parser does neither, and does everything else: it goes first.
 */
import { RunvError } from "../base/error";
import { locateError } from "./json-position";

/**
 * Parses a JSON document.
 * @param name what it is, for the message: `config.json`
 * @returns the value; an integer that a double cannot hold exactly is a bigint
 * @throws RunvError CONFIG_SYNTAX: `config.json: invalid JSON at line 3, column 14: expected a value, got "x"`
 */
export function parseJson(text: string, name: string): unknown {
  const document = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  try {
    return /\d{16}/.test(document) ? JSON.parse(document, exactly) : JSON.parse(document);
  } catch (error) {
    const { line, column, problem } = locateError(document);
    throw new RunvError("CONFIG_SYNTAX", `${name}: invalid JSON at line ${line}, column ${column}: ${problem}`, {
      cause: error,
    });
  }
}

function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? "";
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}
