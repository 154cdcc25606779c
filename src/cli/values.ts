/** The values that Go's strconv reads, and nothing else. */

/** Go's strconv.ParseBool. */
export function parseBool(text: string): boolean | undefined {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  return undefined;
}

/** Go's strconv.ParseInt with base 0, as far as a number of JavaScript is exact. */
export function parseInteger(text: string): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)$/.exec(
    text.replaceAll(/(?<=\w)_(?=\w)/g, ""),
  );
  if (match === null) return undefined;
  const [, sign, digits] = match as unknown as [string, string, string];
  const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (!Number.isSafeInteger(value)) return undefined;
  return sign === "-" ? 0 - value : value;
}

/** In milliseconds. */
const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's time.ParseDuration, `1h15m30.5s`, as milliseconds. */
export function parseDuration(text: string): number | undefined {
  const [, sign, body] = /^([+-]?)(.+)$/.exec(text) ?? [];
  if (body === "0") return 0;
  if (body === undefined || !/^((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(body)) return undefined;
  let sum = 0;
  for (const [, number, unit] of body.matchAll(/([\d.]+)([a-zµ]+)/g)) sum += Number(number) * units[unit!]!;
  return sign === "-" ? -sum : sum;
}

/** Go-units' RAMInBytes: `64M`, `1.5GiB`, `100 kb`, in powers of 1024. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  if (match === null) return undefined;
  const bytes = Math.trunc(Number(match[1]) * 1024 ** " kmgtp".indexOf(match[2]!.toLowerCase() || " "));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
