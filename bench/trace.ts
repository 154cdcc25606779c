/** `bench/trace FILE [PICTURE.svg]`: a timeline as a table, and as a picture. */
import { readFileSync, writeFileSync } from "node:fs";
import { print } from "../src/base/output";
import { columns } from "./table";
import { depthOf, lanes, readTimeline, type Span } from "./timeline";
import { drawTimeline } from "./trace-picture";

/** A line for each event; what happens within another span of its process stands further right. */
function formatTimeline(spans: readonly Span[]): string {
  const byPid = new Map(lanes(spans).map((lane) => [lane.pid, lane]));
  const lines = spans.map((span) => [
    `${span.role.padEnd(8)} ${"  ".repeat(depthOf(span, byPid.get(span.pid)!))}${span.name}`,
    span.start.toFixed(1),
    span.duration === 0 ? "" : span.duration.toFixed(1),
  ]);
  return columns([["", "at ms", "took ms"], ...lines]);
}

const [, , file = "", picture] = process.argv;
const spans = readTimeline(readFileSync(file, "utf8"));
print(formatTimeline(spans));
if (picture !== undefined) writeFileSync(picture, drawTimeline(spans));
