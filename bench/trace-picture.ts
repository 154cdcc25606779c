/** The picture of a timeline: a lane for each process, a bar for each span, longer ones above those within them. */
import { rect, svg, text, vertical } from "./svg";
import { depthOf, type Lane, lanes, type Span } from "./timeline";

const width = 1000;
const left = 90;
const right = 220;
const row = 18;
const colours = 6;

/** Draws it. */
export function drawTimeline(spans: readonly Span[]): string {
  const end = Math.max(...spans.map(({ start, duration }) => start + duration));
  const scale = (milliseconds: number) => left + (milliseconds / end) * (width - left - right);
  const body: string[] = [];
  let y = 34;
  for (const lane of lanes(spans)) {
    body.push(text(12, y + 13, lane.role, "title"));
    const rows = rowsOf(lane);
    for (const [index, span] of lane.spans.entries()) {
      const top = y + rows[index]! * row;
      const [from, to] = [scale(span.start), scale(span.start + span.duration)];
      const colour = `c${(index % (colours - 1)) + 1}`;
      body.push(rect(from, top, to - from, row - 4, colour, span.name));
      body.push(text(to + 4, top + 12, `${span.name} ${span.duration.toFixed(1)}`, "small"));
    }
    y += (Math.max(...rows) + 1) * row + 12;
  }
  const step = stepFor(end);
  for (let at = 0; at <= end; at += step) {
    body.unshift(vertical(scale(at), 26, y - 8));
    body.push(text(scale(at) - 8, 18, `${at} ms`, "small"));
  }
  return svg("What runv does, over time", width, y + 4, body);
}

/** A row for each span, so that no two with their words lie on one another. */
function rowsOf(lane: Lane): number[] {
  const order = lane.spans.map((span, index) => ({ index, depth: depthOf(span, lane), start: span.start }));
  order.sort((a, b) => a.start - b.start || a.depth - b.depth);
  const rows: number[] = [];
  for (const [position, { index }] of order.entries()) rows[index] = position;
  return rows;
}

/** The distance of the marks: 1, 2 or 5 times a power of ten, about ten of them. */
function stepFor(end: number): number {
  const power = 10 ** Math.floor(Math.log10(end / 10));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => end / step <= 12) ?? power * 10;
}
