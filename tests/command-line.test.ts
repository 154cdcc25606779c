/** What needs no virtual machine, of the executable itself. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "./support/rig";

runvTest("the executable says which version it is", async ({ runv }) => {
  const { code, stdout, stderr } = await runv(["--version"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^runv version \d+\.\d+\.\d+\ncommit: \S+\nspec: 1\.\d+\.\d+\n$/);
});

runvTest("files of the caller's directory change nothing", async ({ runv, directory }) => {
  await Bun.write(join(directory, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
  await Bun.write(join(directory, ".env"), "RUNV_CONFIG=/nonexistent\n");
  await Bun.write(join(directory, "evil.ts"), 'console.log("evil")\n');
  const { code, stdout } = await runv(["spec"], { cwd: directory });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  expect(JSON.parse(readFileSync(join(directory, "config.json"), "utf8")).process.args).toEqual(["sh"]);
});

runvTest("features is JSON", async ({ runv }) => {
  const { stdout } = await runv(["features"]);
  expect(JSON.parse(stdout)).toMatchObject({ ociVersionMin: "1.0.0", linux: { seccomp: { enabled: true } } });
});
