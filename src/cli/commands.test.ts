import { describe, expect, test } from "bun:test";
import type { GlobalOptions } from "../base/settings";
import type { Command } from "./command";
import { consoleLog } from "./console";
import type { Perform } from "./container";
import { create } from "./create";
import { deleteContainer } from "./delete";
import { exec } from "./exec";
import { kill } from "./kill";
import { list } from "./list";
import { parseFlags } from "./parse";
import { ps } from "./ps";
import { run } from "./run";

const global = { root: "/run/runv" } as GlobalOptions;

/** What the command asks of the code behind it. */
async function asked<O>(make: (perform: Perform<O>) => Command, line: string): Promise<O> {
  let seen: O | undefined;
  const command = make(async (options) => {
    seen = options;
    return 0;
  });
  const { flags, args } = parseFlags(command.flags, line.split(" "), command.flagsFirst !== true);
  await command.run({ flags, args, global });
  return seen!;
}

describe("what commands read", () => {
  test("create: absolute paths, from the caller's directory even with -b", async () => {
    const here = process.cwd();
    expect(await asked(create, "-b /b --pid-file p --no-pivot ID")).toEqual({
      noNewKeyring: false,
      global,
      id: "ID",
      bundle: "/b",
      consoleSocket: undefined,
      pidfdSocket: undefined,
      pidFile: `${here}/p`,
      preserveFds: 0,
    });
    expect((await asked(create, "ID")).bundle).toBe(here);
  });

  test("run", async () => {
    expect(await asked(run, "-d --keep --no-subreaper ID")).toMatchObject({ id: "ID", detach: true, keep: true });
  });

  test("exec: what follows the id is the command's", async () => {
    const options = await asked(exec, "-t -u 1:2 -e A=B -g 3 -c CAP_KILL ID ls -t");
    expect(options).toMatchObject({ id: "ID", command: ["ls", "-t"], tty: true, user: { uid: 1, gid: 2 } });
    expect(options).toMatchObject({
      env: ["A=B"],
      additionalGids: [3],
      capabilities: ["CAP_KILL"],
      process: undefined,
    });
    expect((await asked(exec, "-u 7 -p /p ID")).user).toEqual({ uid: 7, gid: undefined });
    expect((await asked(exec, "-p /p ID")).process).toBe("/p");
  });

  test("kill: signals by number and name", async () => {
    expect(await asked(kill, "ID")).toMatchObject({ signal: 15, all: false });
    expect(await asked(kill, "--all ID KILL")).toMatchObject({ signal: 9, all: true });
    expect(await asked(kill, "ID 0")).toMatchObject({ signal: 0 });
  });

  test("ps, list, delete, console", async () => {
    expect(await asked(ps, "ID")).toMatchObject({ format: "table", psArgs: ["-ef"] });
    expect(await asked(ps, "-f json ID -o pid")).toMatchObject({ format: "json", psArgs: ["-o", "pid"] });
    expect(await asked(list, "-q")).toMatchObject({ format: "table", quiet: true });
    expect(await asked(deleteContainer, "ID -f")).toMatchObject({ id: "ID", force: true });
    expect(await asked(consoleLog, "-f ID")).toMatchObject({ follow: true });
  });
});

describe("what they refuse", () => {
  const cases: [string, (perform: () => Promise<number>) => Command, string, string][] = [
    ["an empty id", kill, "", "container id cannot be empty"],
    ["an id that is a path", kill, "../x", "invalid container ID format"],
    ["runv's own directories", kill, ".sandboxes", "invalid container ID format"],
    ["a long id", deleteContainer, "x".repeat(256), "invalid container ID format"],
    ["an unknown signal", kill, "ID BAD", 'unknown signal "BAD"'],
    ["a signal beyond the last", kill, "ID 65", 'unknown signal "65"'],
    ["an unknown format", list, "--format=bad", "invalid format option"],
    ["a user by name", exec, "-u root ID", "exec failed: --user: parsing root as int for uid failed"],
    ["an empty group", exec, "-u 0: ID", "exec failed: --user: parsing  as int for gid failed"],
    ["an id, for create", create, "a/b", "runv create failed: invalid container ID format"],
  ];
  test.each(cases)("%s", async (_, make, line, message) => {
    const asking = asked((perform) => make(() => perform(undefined)), line);
    await expect(asking).rejects.toThrow(new Error(message));
  });
});
