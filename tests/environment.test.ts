/** Arguments, environment and capabilities of a process: what is made of what is asked for, as runc does it. */
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "./support/rig";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

const passwd = "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n";

const shared = sharedRig(async (rig) => {
  const bundle = await rig.bundle({
    args: ["sleep", "100000"],
    change: ({ process, root }) => {
      process.env = ["ONE=a", "PATH=/nowhere", "TWO=x", "ONE=b", "PATH=/bin:/usr/bin", "HOME="];
      process.capabilities = {
        ...(process.capabilities as object),
        bounding: ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SYSLOG"],
        inheritable: ["CAP_SYSLOG", "CAP_KILL"],
        ambient: ["CAP_KILL", "CAP_NET_RAW"],
      };
      writeFileSync(join(root.path, "etc/passwd"), passwd);
    },
  });
  const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id("main")]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toContain("can't raise ambient capability CAP_NET_RAW: operation not permitted");
});

shared("of each name of an environment the last one counts, once", async ({ runv, id }) => {
  const variables = async (...args: string[]) => {
    const { stdout } = await runv(["exec", ...args]);
    return stdout
      .split(/[\n\0]/)
      .filter(Boolean)
      .sort();
  };
  const init = ["HOME=/root", "ONE=b", "PATH=/bin:/usr/bin", "TWO=x"];
  expect(await variables(id("main"), "cat", "/proc/1/environ")).toEqual(init);
  expect(await variables("-e", "ONE=old", "-e", "ONE=new", "-e", "PATH=/usr/bin:/bin", id("main"), "env")).toEqual([
    "HOME=/root",
    "ONE=new",
    "PATH=/usr/bin:/bin",
    "TWO=x",
  ]);
  expect(await variables("-u", "1000", id("main"), "sh", "-c", "echo $HOME")).toEqual(["/home/user"]);
  expect(await variables("-u", "1000", "-e", "HOME=", id("main"), "sh", "-c", "echo $HOME")).toEqual(["/home/user"]);
  expect(await variables("-u", "77", id("main"), "sh", "-c", "echo $HOME")).toEqual(["/"]);
  expect(await variables("-u", "1000", "-e", "HOME=/x", id("main"), "sh", "-c", "echo $HOME")).toEqual(["/x"]);
});

shared("exec: flags are checked as config.json is", async ({ runv, id }) => {
  const cases: [string[], string][] = [
    [["-e", "BAD"], "invalid environment variable: missing '='"],
    [["-e", ""], "invalid environment variable: missing '='"],
    [["-e", "=x"], "invalid environment variable: name cannot be empty"],
    [["--cwd", "relative"], "Cwd must be an absolute path"],
    [["-g", "-1"], "additional-gids"],
    [["-g", "4294967296"], "additional-gids"],
  ];
  for (const [flags, message] of cases) {
    const result = await runv(["exec", ...flags, id("main"), "true"]);
    expect({ flags, ...result }).toMatchObject({ flags, code: 255, stderr: expect.stringContaining(message) });
  }
});

shared("as many arguments and variables as Linux takes, and no more", async ({ runv, id, directory }) => {
  const file = join(directory, "process.json");
  const exec = async (args: string[], env: string[]) => {
    const user = { uid: 0, gid: 0 };
    writeFileSync(file, JSON.stringify({ user, cwd: "/", args, env: ["PATH=/bin", ...env] }));
    return await runv(["exec", "-p", file, id("main")]);
  };
  const many = (count: number, length: number) =>
    Array.from({ length: count }, (_, index) => `V${index}=`.padEnd(length, "x"));
  expect(await exec(["sh", "-c", "env | grep -c ^V"], many(3000, 300))).toMatchObject({ code: 0, stdout: "3000\n" });
  const words = ["sh", "-c", "echo $#", "sh", ...many(50_000, 8)];
  expect(await exec(words, [])).toMatchObject({ code: 0, stdout: "50000\n" });
  // A word of 128 KiB, and all words together a quarter of the stack's limit (execve(2)).
  expect(await exec(["sh", "-c", "env | wc -c"], many(1, 131_000))).toMatchObject({ code: 0 });
  for (const env of [many(1, 132_000), many(8000, 300), many(80_000, 300)]) {
    const { code, stderr } = await exec(["true"], env);
    expect({ code, stderr }).toMatchObject({ code: 255, stderr: expect.stringContaining("argument list too long") });
  }
  expect(await exec(["true"], [])).toMatchObject({ code: 0 });
});

shared("exec --cap makes ambient what is inheritable, as with runc", async ({ runv, id }) => {
  const script = "grep -E 'Cap(Eff|Amb|Bnd)' /proc/self/status | cut -f2";
  const sets = async (...flags: string[]) =>
    (await runv(["exec", ...flags, id("main"), "sh", "-c", script])).stdout.trim().split("\n");
  const [kill, syslog, admin] = [5n, 34n, 12n].map((bit) => 1n << bit) as [bigint, bigint, bigint];
  const hex = (mask: bigint) => mask.toString(16).padStart(16, "0");
  const user = await sets("-u", "1000", "--cap", "CAP_SYSLOG", "--cap", "CAP_NET_ADMIN");
  expect([user[0], user[2]]).toEqual([hex(kill | syslog), hex(kill | syslog)]);
  expect(BigInt(`0x${user[1]}`) & (syslog | admin)).toBe(syslog | admin);
  expect((await sets("-u", "1000"))[2]).toBe(hex(kill));
  const root = await sets("--cap", "CAP_NET_ADMIN");
  expect(BigInt(`0x${root[0]}`) & admin).toBe(admin);
});

runvTest("a created container ends by the signals that ask for it", async ({ runv, bundle, id, directory }) => {
  const path = await bundle({ args: ["sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done"] });
  const status = async () => JSON.parse((await runv(["state", id("new")])).stdout).status;
  const pidFile = join(directory, "pid");
  for (const [how, signal] of [
    ["kill", "TERM"],
    ["--all", "HUP"],
    ["pid", "SIGINT"],
  ] as const) {
    expect(await runv(["create", "-b", path, "--pid-file", pidFile, id("new")])).toMatchObject({ code: 0 });
    // One that means nothing to it does nothing.
    expect(await runv(["kill", id("new"), "USR1"])).toMatchObject({ code: 0 });
    expect(await status()).toBe("created");
    if (how === "pid") process.kill(Number(readFileSync(pidFile, "utf8")), signal);
    else expect(await runv(["kill", ...(how === "--all" ? [how] : []), id("new"), signal])).toMatchObject({ code: 0 });
    await until(`it has stopped by ${signal}`, async () => (await status()) === "stopped");
    expect(await runv(["delete", id("new")])).toMatchObject({ code: 0 });
  }
  // Once it has begun, its signals are its own.
  const stdout = join(directory, "stdout");
  expect(await runv(["run", "-d", "-b", path, id("new")], { stdout })).toMatchObject({ code: 0 });
  await until("it has begun", () => readFileSync(stdout, "utf8") === "ready\n");
  await runv(["kill", id("new"), "HUP"]);
  expect(await status()).toBe("running");
  await runv(["kill", id("new"), "TERM"]);
  await until("it has stopped", async () => (await status()) === "stopped");
  await runv(["delete", id("new")]);
});
