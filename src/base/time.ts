/** Points in time as nanoseconds since 1970, and as Go's time.RFC3339Nano writes them. */

export const second = 1_000_000_000n;

/** Now, as exactly as this process's clock tells. */
export function now(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** `2026-11-22T02:26:31.03619103Z`. */
export function formatTime(at: bigint): string {
  const nanoseconds = ((at % second) + second) % second;
  const fraction = nanoseconds === 0n ? "" : `.${String(nanoseconds).padStart(9, "0").replace(/0+$/, "")}`;
  return `${new Date(Number((at - nanoseconds) / 1_000_000n)).toISOString().slice(0, 19)}${fraction}Z`;
}

/** Reads RFC 3339 with a fraction of up to nine digits; undefined when it is none. */
export function parseTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return undefined;
  const milliseconds = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}
