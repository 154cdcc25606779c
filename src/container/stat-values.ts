/** Numbers from the kernel's files, and the form in which runc tells them (types/events.go there). */

/** Files by name: what was in each that there is. */
export type Files = ReadonlyMap<string, string>;
/** Numbers by the name of their field. */
export type Entry = Record<string, bigint>;

/** Nothing that a guest says becomes a number of more than 64 bits. */
export const number = (text: string | undefined): bigint => (/^\d{1,20}$/.test(text ?? "") ? BigInt(text!) : 0n);

/** A file with a name and a number on each line. */
export function keys(text = ""): Map<string, string> {
  return new Map([...text.matchAll(/^(\w{1,64}) (\d{1,20})$/gm)].map(([, key, value]) => [key!, value!]));
}

/** `0-2,4` as numbers. */
export function numbersOf(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    if (range === "" || !(last! - first! < 4096)) return [];
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);
  });
}

export function entry({ limit, usage, max, failcnt }: Record<"limit" | "usage" | "max" | "failcnt", bigint>): Entry {
  return { limit: limit!, ...withoutZeros({ usage: usage!, max: max! }), failcnt: failcnt! };
}

/** Go's `omitempty`. */
export function withoutZeros(entry: Entry): Entry {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== 0n));
}

/** The columns of /proc/net/dev (proc(5)) that are shown, by their place. */
const columns = { Bytes: 0, Packets: 1, Errors: 2, Dropped: 3 } as const;

/** All but the loopback interface; null when there are none, as Go writes an empty list. */
export function interfaces(table = ""): unknown {
  const rows = [...table.matchAll(/^ *([^\s:]{1,15}): *([\d ]+)$/gm)].filter(([, name]) => name !== "lo");
  if (rows.length === 0) return null;
  return rows.map(([, name, numbers]) => {
    const all = numbers!.trim().split(/ +/);
    const half = (prefix: string, from: number) =>
      Object.entries(columns).map(([column, index]) => [`${prefix}${column}`, number(all[from + index])]);
    return { Name: name, ...Object.fromEntries([...half("Rx", 0), ...half("Tx", 8)]) };
  });
}
