/** Writes manuals and completions into a directory: `bun packaging/generate.ts OUT`; their date is SOURCE_DATE_EPOCH's. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { programs } from "./commands";
import { bashCompletion, fishCompletion, zshCompletion } from "./completions";
import { manPages } from "./man";

const [out = "dist/package/generated"] = process.argv.slice(2);
const date = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000).toISOString().slice(0, 10);
const all = await programs();
const files: [path: string, text: string][] = [
  ...manPages(all, date).map(({ file, source }): [string, string] => [`man/${file}`, source]),
  ["bash/runv", bashCompletion(all)],
  ["zsh/_runv", zshCompletion(all)],
  // fish loads the file that is named by the command.
  ...all.map(({ path }): [string, string] => [`fish/${path[0]}.fish`, fishCompletion(all)]),
];
for (const [path, text] of files) {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  writeFileSync(join(out, path), text);
}
