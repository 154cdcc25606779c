/** Tables as Go's tabwriter makes them for ctr: each cell at least so wide, and followed by so many blanks at least. */
export function formatColumns(rows: readonly (readonly string[])[], least: number, blanks: number): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(least, ...rows.map((row) => (row[column] ?? "").length + blanks)),
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}
