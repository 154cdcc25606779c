/** Formats a table as Go's tabwriter does for runc: columns at least 12 wide, three blanks between them. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(12, ...all.map((row) => (row[column] ?? "").length + 3)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("");
  return all.map((row) => `${line(row)}\n`).join("");
}
