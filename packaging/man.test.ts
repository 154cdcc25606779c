/** The manuals of this very table of commands, read by groff and mandoc where they are. */
import { expect, test } from "bun:test";
import { contentOf, programs, withAllBelow } from "./commands";
import { manPages } from "./man";

const all = await programs();
const pages = manPages(all, "2026-11-29");

async function words(command: string[], input: string): Promise<string> {
  const child = Bun.spawn(command, {
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, MANWIDTH: "80" },
  });
  const [out, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  return command[0] === "groff" ? errors : out + errors;
}

test("each command has a page, by its own name or by that of the link it is called by", () => {
  const files = pages.map(({ file }) => file);
  const runv = all.find(({ path }) => path[0] === "runv")!;
  for (const { path } of [runv, ...runv.commands]) expect(files).toContain(`${path.join("-")}.8`);
  expect(new Set(files).size).toBe(files.length);
});

test("each flag of each command is on a page", () => {
  const source = pages.map(({ source }) => source).join("\n");
  const flags = all.flatMap(withAllBelow).flatMap(({ flags }) => Object.keys(flags));
  const missing = flags.filter((name) => !source.includes(`\\-\\-${name.replaceAll("-", "\\-")}`));
  expect(missing).toEqual([]);
});

for (const reader of [
  ["groff", "-man", "-ww", "-Tutf8", "-Kutf8"],
  ["mandoc", "-Tlint", "-W", "warning"],
]) {
  const here = Bun.which(reader[0]!) !== null;
  test.skipIf(!here)(
    `${reader[0]} has nothing to say against them${here ? "" : `: there is no ${reader[0]} here`}`,
    async () => {
      const said = await Promise.all(pages.map(async ({ file, source }) => [file, await words(reader, source)]));
      expect(said.filter(([, text]) => text !== "")).toEqual([]);
    },
  );
}

test("what follows a flag is read from its words", () => {
  expect(contentOf({ kind: "string", usage: "set the format ('text' (default), or 'json')" })).toEqual({
    choices: ["text", "json"],
  });
  expect(contentOf({ kind: "string", usage: "select one of: table or json" })).toEqual({ choices: ["table", "json"] });
  expect(contentOf({ kind: "string", usage: "made by 'runv image build'" })).toBe("files");
  expect(contentOf({ kind: "string", usage: "path to the root of the bundle directory" })).toBe("directories");
  expect(contentOf({ kind: "int", usage: "a number" })).toBe("anything");
  expect(contentOf({ kind: "bool", usage: "a directory" })).toBe("none");
});
