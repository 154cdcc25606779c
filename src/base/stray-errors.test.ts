import { expect, test } from "bun:test";
import { join } from "node:path";

const script = `
  const { surviveStrayErrors } = require(${JSON.stringify(join(import.meta.dir, "stray-errors.ts"))});
  if (process.argv.at(-1) === "survive") surviveStrayErrors();
  setTimeout(() => { throw new Error("thrown"); }, 0);
  setTimeout(() => void Promise.reject(new Error("rejected")), 0);
  setTimeout(() => console.log("lives"), 20);
`;

test.each([
  ["survive", "lives\n", ["thrown", "rejected"]],
  ["end", "", ["thrown"]],
])("a process that is to %s", (how, said, told) => {
  const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", script, how]);
  expect(stdout.toString()).toBe(said);
  for (const word of told) expect(stderr.toString()).toContain(word);
});
