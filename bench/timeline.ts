/** Reads a timeline that `runv --trace FILE` wrote. */

/** Milliseconds since the first event. */
export interface Span {
  name: string;
  /** What kind of process: "runv", "monitor", "shim". */
  role: string;
  pid: number;
  start: number;
  /** 0 for a moment. */
  duration: number;
}

interface TraceEvent {
  name: string;
  ph: string;
  ts: number;
  dur?: number;
  cat: string;
  pid: number;
}

/** @returns the events in the order of their beginnings */
export function readTimeline(content: string): Span[] {
  // The format allows the array's end to be missing, and runv never writes it.
  const events: TraceEvent[] = JSON.parse(`${content.trimEnd().replace(/,?\]?$/, "")}]`);
  const zero = Math.min(...events.map(({ ts }) => ts));
  return events
    .map(({ name, ts, dur = 0, cat, pid }) => ({
      name,
      role: cat,
      pid,
      start: (ts - zero) / 1000,
      duration: dur / 1000,
    }))
    .toSorted((a, b) => a.start - b.start || b.duration - a.duration);
}

/** A process's spans; it is told apart from others of its kind by its id. */
export interface Lane {
  role: string;
  pid: number;
  spans: Span[];
}

/** The spans by process, in the order in which these appear. */
export function lanes(spans: readonly Span[]): Lane[] {
  const byPid = Map.groupBy(spans, ({ pid }) => pid);
  return [...byPid].map(([pid, own]) => ({ role: own[0]!.role, pid, spans: own }));
}

/** How many spans of the same process it lies in. */
export function depthOf(span: Span, { spans }: Lane): number {
  const end = span.start + span.duration;
  return spans.filter(
    (other) =>
      other !== span &&
      other.duration > span.duration &&
      other.start <= span.start &&
      other.start + other.duration >= end,
  ).length;
}
