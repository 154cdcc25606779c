/** What others write that hold the output of a process that has ended: it is read to its end, as with runc. */
import { expect } from "bun:test";
import { closeSync, createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { makePipe } from "../src/linux/pipe";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

const runvTest = sharedRig(async (rig) => {
  const bundle = await rig.bundle({ args: ["sleep", "100000"] });
  expect(await rig.runv(["run", "-d", "-b", bundle, rig.id("main")])).toMatchObject({ code: 0 });
});

runvTest("what comes after a process has ended is read to its end, as with runc", async ({ runv, id }) => {
  const cases: [script: string, stdout: string, stderr: string, code?: number][] = [
    // What bash makes of `exec > >(sed …)`.
    [
      "mkfifo /dev/shm/f; (sleep 0.2; sed 's/^/pre /') < /dev/shm/f & exec > /dev/shm/f; rm /dev/shm/f; echo a; echo b",
      "pre a\npre b\n",
      "",
    ],
    ["(sleep 1; echo late) & echo early", "early\nlate\n", ""],
    ["(sleep 1; echo late >&2) >&- & echo early; exit 7", "early\n", "late\n", 7],
    ["(sleep 0.5; (sleep 0.5; yes | head -c 3000000) &) & kill -9 $$", "y\n".repeat(1_500_000), "", 137],
    ["setsid sh -c 'trap \"\" HUP; sleep 1; echo out; echo err >&2' & :", "out\n", "err\n"],
  ];
  for (const [script, stdout, stderr, code = 0] of cases) {
    const result = await runv(["exec", id("main"), "sh", "-c", script]);
    expect({ script, ...result }).toEqual({ script, code, stdout, stderr });
  }
});

runvTest(
  "a command that waits for the rest of an output ends by a signal, with its process's code",
  async ({ spawn, runv, id }) => {
    const child = spawn(["exec", id("main"), "sh", "-c", "(sleep 1000) & echo $$; exit 5"]);
    const reader = child.stdout.getReader();
    const pid = Buffer.from((await reader.read()).value!)
      .toString()
      .trim();
    const gone = ["exec", id("main"), "sh", "-c", `[ ! -e /proc/${pid} ]`];
    await until("the process has ended", async () => (await runv(gone)).code === 0);
    child.kill("SIGINT");
    expect(await child.exited).toBe(5);
  },
);

runvTest("a process that is left to itself ends as itself, and what comes later is delivered", async (rig) => {
  const { command, directory, id } = rig;
  const script = "mkfifo /dev/shm/go; (read x < /dev/shm/go; yes | head -c 2000000; echo late >&2) & echo early";
  const pidFile = join(directory, "pid");
  const [reading, writing] = makePipe();
  const [errors, errorsIn] = makePipe();
  const words = command(["exec", "-d", "--pid-file", pidFile, id("main"), "sh", "-c", script]);
  expect(await Bun.spawn(words, { stdin: "ignore", stdout: writing, stderr: errorsIn }).exited).toBe(0);
  closeSync(writing);
  closeSync(errorsIn);
  const pid = Number(readFileSync(pidFile, "utf8"));
  await until("its process on the host has ended", () => !isRunning(pid));
  expect(JSON.parse((await rig.runv(["ps", "-f", "json", id("main")])).stdout)).not.toContain(pid);
  await rig.runv(["exec", id("main"), "sh", "-c", "echo > /dev/shm/go"]);
  const [stdout, stderr] = await Promise.all([textOf(reading), textOf(errors)]);
  expect([stdout.length, stdout.slice(0, 8), stderr]).toEqual([2_000_006, "early\ny\n", "late\n"]);
});

runvTest("the rest of an output keeps no container", async ({ command, runv, bundle, id }) => {
  const path = await bundle({ args: ["sleep", "100000"] });
  await runv(["run", "-d", "-b", path, id("other")]);
  const [reading, writing] = makePipe();
  const words = command(["exec", "-d", id("other"), "sh", "-c", "sleep 100000 & echo early"]);
  expect(await Bun.spawn(words, { stdin: "ignore", stdout: writing, stderr: writing }).exited).toBe(0);
  closeSync(writing);
  const chunks = createReadStream("", { fd: reading })[Symbol.asyncIterator]();
  expect(String((await chunks.next()).value)).toBe("early\n");
  expect(await runv(["delete", "--force", id("other")])).toMatchObject({ code: 0 });
  expect((await chunks.next()).done).toBe(true);
});

runvTest(
  "a container without a pid namespace ends with its first process, and all of it",
  async ({ runv, bundle, id }) => {
    const path = await bundle({
      args: ["sh", "-c", "sleep 100000 & echo early; exit 6"],
      change: ({ linux }) => {
        linux.namespaces = linux.namespaces.filter(({ type }: { type: string }) => type !== "pid");
      },
    });
    expect(await runv(["run", "-b", path, id("shared")])).toEqual({ code: 6, stdout: "early\n", stderr: "" });
    expect(await runv(["run", "-d", "-b", path, id("shared")])).toMatchObject({ code: 0 });
    await until(
      "it has stopped",
      async () => JSON.parse((await runv(["state", id("shared")])).stdout).status === "stopped",
    );
    await runv(["delete", id("shared")]);
  },
);

/** Whether a process runs: one that nobody has waited for does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

async function textOf(fd: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream("", { fd })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
