/** The whole command line as others see it: what it prints where, and with which exit code. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const main = join(import.meta.dir, "main.ts");

function runv(...args: string[]): { code: number; out: string; err: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, main, ...args]);
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
}

const logged = (message: string) =>
  new RegExp(`^time="[^"]+Z" level=error msg=${JSON.stringify(JSON.stringify(message)).slice(1, -1)} code=USAGE\n$`);

test("--version: the lines that Docker reads", () => {
  for (const flag of ["--version", "-v", "-version"]) {
    const { code, out, err } = runv(flag);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^runv version \S+\ncommit: \S+\nspec: 1\.\d+\.\d+\n$/);
  }
});

test("no command, help and --help are the same", () => {
  const outputs = [[], ["help"], ["h"], ["--help"], ["-h"]].map((args) => runv(...args));
  expect(new Set(outputs.map(({ out }) => out)).size).toBe(1);
  for (const { code, err } of outputs) expect({ code, err }).toEqual({ code: 0, err: "" });
});

describe("mistakes", () => {
  test("an unknown command", () => {
    for (const args of [["foo"], ["foo", "-h"], ["help", "foo"], ["toString"], ["suspend"]]) {
      const { code, out, err } = runv(...args);
      expect({ code, out }).toEqual({ code: 3, out: "" });
      expect(err).toMatch(logged(`No help topic for '${args.filter((word) => word !== "help")[0]}'`));
    }
  });

  test("an unknown flag shows the help", () => {
    const { code, out, err } = runv("--foo", "state");
    expect(code).toBe(1);
    expect(out).toStartWith("Incorrect Usage. flag provided but not defined: -foo\n\nNAME:\n   runv - ");
    expect(err).toMatch(logged("flag provided but not defined: -foo"));
  });

  test("flags of another subcommand", () => {
    for (const args of [
      ["image", "info", "--kernel", "x"],
      ["template", "gc", "--all"],
      ["pool", "stop", "--size", "1"],
    ]) {
      const { code, err } = runv(...args);
      expect(code).toBe(1);
      expect(err).toMatch(logged(`flag provided but not defined: -${args[2]!.slice(2)}`));
    }
  });

  test("a log that cannot be opened", () => {
    const { code, err } = runv("--log", "/nonexistent/log", "foo");
    expect(code).toBe(1);
    expect(err).toContain("open log file /nonexistent/log: ");
  });
});

test("with --log the message goes to the file and, bare, to standard error", () => {
  const directory = mkdtempSync(join(tmpdir(), "runv-test-"));
  try {
    const file = join(directory, "log.json");
    const calls = [1, 2].map(() => runv("--log", file, "--log-format", "json", "foo"));
    for (const { err } of calls) expect(err).toBe("No help topic for 'foo'\n");
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[1]!)).toMatchObject({ level: "error", msg: "No help topic for 'foo'", code: "USAGE" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
