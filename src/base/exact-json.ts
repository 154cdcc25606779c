/** Writing JSON with integers that a double cannot hold: 2^64-1 is what runc's formats have for "unlimited". */

/** JSON.rawJSON is not in TypeScript's library yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** JSON.stringify on one line, in which a bigint is a number with all its digits. */
export function stringifyExactly(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === "bigint" ? rawJSON(String(item)) : item));
}
