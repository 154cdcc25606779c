/** Nothing is exported that nobody uses. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

const root = join(import.meta.dir, "..");
const files = [...new Glob("{src,guest,tests,bench,lab,packaging}/**/*.ts").scanSync(root)];
const texts = files.map((file) => readFileSync(join(root, file), "utf8"));

/** How often each word occurs in all files together. */
const uses = new Map<string, number>();
for (const text of texts) for (const [word] of text.matchAll(/[\w$]+/g)) uses.set(word, (uses.get(word) ?? 0) + 1);

test("every export is used", () => {
  const exports = texts.flatMap((text, index) =>
    [...text.matchAll(/^export (?:async )?(?:const|function|class|interface|type) ([\w$]+)/gm)].map(([, name]) => ({
      file: files[index],
      name: name!,
    })),
  );
  expect(exports.length).toBeGreaterThan(1000);
  expect(exports.filter(({ name }) => uses.get(name) === 1)).toEqual([]);
});
