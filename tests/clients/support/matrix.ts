/** docs/clients.md: what each command does with runc and with runv. */
import { type Compared, problem } from "./compare";
import { tables } from "./tables";
import type { Outcome } from "./world";

const head = `# Real clients

What each command of Docker, podman, ctr, CRI and Swarm does with runc and with runv: written by \`tests/clients/matrix\`, which runs
them all. A row is a script; its outcome is its exit code and all that it says. "the same" means the same exit code and
the same words, letter by letter.
`;

/** Writes the page. */
export function formatMatrix(results: readonly Compared[]): string {
  const byRow = new Map(results.map((result) => [result.row, result]));
  const parts = tables.map(({ client, title, rows }) => {
    const lines = rows.flatMap((row) => byRow.get(row) ?? []).map(formatRow);
    return [`## ${client}: ${title}`, "", "| command | runc | runv | why |", "|---|---|---|---|", ...lines].join("\n");
  });
  return `${[head, formatSummary(results), ...parts].join("\n")}\n`;
}

function formatSummary(results: readonly Compared[]): string {
  const clients = [...new Set(tables.map(({ client }) => client))];
  const lines = clients.map((client) => {
    const rows = tables.filter((table) => table.client === client).flatMap((table) => table.rows);
    const own = results.filter(({ row }) => rows.includes(row));
    const different = own.filter((result) => !isSame(result));
    const here = different.filter(({ row }) => (row.machine ?? row.host) !== undefined);
    return `| ${client} | ${own.length} | ${different.length} | ${here.length} |`;
  });
  const head = [
    "| client | commands | differ | of these, because of the machine this was written on |",
    "|---|---|---|---|",
  ];
  return [...head, ...lines, ""].join("\n");
}

function formatRow(result: Compared): string {
  const { row, outcomes } = result;
  const runv = isSame(result) ? "the same" : formatOutcome(outcomes.runv);
  const here = row.machine ?? row.host;
  const why = row.differs ?? (here && `the machine this was written on: ${here}`) ?? "";
  const failed = problem(result) === undefined ? "" : "**not as declared** ";
  return `| ${cell(row.name)} | ${formatOutcome(outcomes.runc)} | ${runv} | ${failed}${cell(isSame(result) ? "" : why)} |`;
}

function isSame({ outcomes: { runc, runv } }: Compared): boolean {
  return runc.code === runv.code && runc.output === runv.output;
}

/** The exit code where it says something, and the last line. */
function formatOutcome({ code, output }: Outcome): string {
  const last = output.split("\n").at(-1)?.trim() ?? "";
  const short = last.length > 70 ? `…${last.slice(-70)}` : last;
  return (
    cell(
      [code === 0 ? "" : `exit code ${code}`, short && `\`${short.replaceAll("`", "'")}\``].filter(Boolean).join(": "),
    ) || "ok"
  );
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\t", " ");
}
