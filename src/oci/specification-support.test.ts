/** docs/specification-support.md speaks of every field that is read, and of no others. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { config } from "./config";
import { Absentable, type Reader, shapeOf } from "./reader";

const root = new URL("../../", import.meta.url).pathname;

/** The paths of all single values below a reader: `process.args`, `mounts.destination`, `linux.sysctl`. */
function fieldsOf(read: Reader<unknown>, path: string): string[] {
  const shape = shapeOf(read);
  if (shape === undefined) return [path];
  if (shape.kind !== "object") return fieldsOf(shape.item, path);
  return Object.entries(shape.fields).flatMap(([name, field]) =>
    fieldsOf(field instanceof Absentable ? field.read : field, path === "" ? name : `${path}.${name}`),
  );
}

/** The rows of the tables whose first column holds fields. */
const rows = readFileSync(`${root}docs/specification-support.md`, "utf8")
  .split("\n")
  .filter((line) => /^\| `[a-z]/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, fields = "", where = "", how = "", shown = ""]) => ({
    fields: fields.match(/`[^`]+`/g) ?? [],
    where,
    how,
    shown,
  }));

test("every field of the readers has its row, and every row its field", () => {
  const documented = rows.flatMap(({ fields }) => fields.map((field) => field.slice(1, -1)));
  expect(documented.toSorted()).toEqual(fieldsOf(config, "").toSorted());
  expect(new Set(documented).size).toBe(documented.length);
});

test("every row says where its fields are honoured, how, and where that is shown", () => {
  for (const row of rows) {
    expect(row.where, row.fields[0]).toMatch(/^(guest|host|VM|refused|ignored)(, (guest|host|VM))*$/);
    expect(row.how, row.fields[0]).not.toBe("");
    const files = row.shown.match(/`[^`]+`/g) ?? [];
    expect([row.fields[0], row.where === "ignored" || files.length > 0]).toEqual([row.fields[0], true]);
    for (const file of files) expect([file, existsSync(root + file.slice(1, -1))]).toEqual([file, true]);
  }
});
