/** The lifecycle of containers and their processes, as callers of a runtime know it. */
import { describe, expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { reap } from "./support/reaper";
import { type Rig, runvTest } from "./support/rig";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

/** Where a bundle's root file system is on the host. */
const rootOf = (bundle: string): string => JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")).root.path;

const statusOf = async ({ runv }: Rig, id: string): Promise<string> =>
  JSON.parse((await runv(["state", id])).stdout).status;

/** Prints the words that it is sent by signals, until it is told to go. */
const talker = `
  for word in HUP USR1 USR2 37 64; do trap "echo $word >> /tmp/signals" $word; done
  echo ready >> /tmp/signals
  while :; do sleep 0.2; done`;

/** A process's command line, as ps(1) and `docker top` show it. */
function commandOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
}

describe("in one container", () => {
  let bundle = "";
  const runvTest = sharedRig(async (rig) => {
    bundle = await rig.bundle({
      args: ["sh", "-c", talker],
      change: ({ process, root }) => {
        process.env.push("FROM=config");
        root.readonly = false;
      },
    });
    const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id("main")]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  for (const code of [0, 1, 7, 126, 255]) {
    runvTest(`exec passes on exit code ${code}`, async ({ runv, id }) => {
      expect(await runv(["exec", id("main"), "sh", "-c", `exit ${code}`])).toEqual({ code, stdout: "", stderr: "" });
    });
  }

  runvTest("exec of a process that a signal ends gives 128 and the signal's number", async ({ runv, id }) => {
    for (const [signal, code] of [
      ["TERM", 143],
      ["KILL", 137],
      ["SEGV", 139],
    ] as const) {
      expect((await runv(["exec", id("main"), "sh", "-c", `kill -${signal} $$`])).code).toBe(code);
    }
  });

  runvTest("stdin comes from a pipe, to its end", async ({ runv, id }) => {
    const input = "one\ntwo\n";
    expect(await runv(["exec", id("main"), "cat"], { input })).toEqual({ code: 0, stdout: input, stderr: "" });
  });

  runvTest("stdin may be /dev/null", async ({ runv, id }) => {
    expect(await runv(["exec", id("main"), "wc", "-c"])).toEqual({ code: 0, stdout: "0\n", stderr: "" });
  });

  runvTest("a process that closes its stdin and goes on does not wait for it", async ({ spawn, id }) => {
    const child = spawn(["exec", id("main"), "sh", "-c", "exec <&-; echo closed"], { input: "pipe" });
    expect(await new Response(child.stdout).text()).toBe("closed\n");
    expect(await child.exited).toBe(0);
  });

  runvTest("stdin that stays open does not keep a process that ends", async ({ spawn, id }) => {
    const child = spawn(["exec", id("main"), "head", "-n1"], { input: "pipe" });
    const stdin = child.stdin as unknown as Bun.FileSink;
    stdin.write("first\n");
    await stdin.flush();
    expect(await new Response(child.stdout).text()).toBe("first\n");
    expect(await child.exited).toBe(0);
    await stdin.end();
  });

  runvTest("stdout and stderr are two streams, each in order and whole", async ({ runv, id }) => {
    const script = "i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";
    const lines = (word: string) => Array.from({ length: 500 }, (_, i) => `${word} ${i}\n`).join("");
    expect(await runv(["exec", id("main"), "sh", "-c", script])).toEqual({
      code: 0,
      stdout: lines("out"),
      stderr: lines("err"),
    });
  });

  runvTest("exec has the container's environment, with what is added", async ({ runv, id }) => {
    const { stdout } = await runv(["exec", "-e", "ADDED=1", "-e", "FROM=flag", id("main"), "env"]);
    const variables = stdout.split("\n");
    expect(variables).toEqual(expect.arrayContaining(["ADDED=1", "HOME=/root", "TERM=xterm"]));
    expect(variables.findLast((line) => line.startsWith("FROM="))).toBe("FROM=flag");
  });

  runvTest("nothing wakes the guest's kernel that can be left", async ({ runv, id }) => {
    const settings = ["vm/compaction_proactiveness", "kernel/watchdog"].map((name) => `/proc/sys/${name}`);
    expect((await runv(["exec", id("main"), "cat", ...settings])).stdout).toBe("0\n0\n");
  });

  runvTest("exec takes a directory, a user, groups and capabilities", async ({ runv, id }) => {
    const flags = ["--cwd", "/tmp", "--user", "1000:1001", "-g", "7", "-g", "8", "--cap", "CAP_SYS_PTRACE"];
    const script = "pwd; id -u; id -g; id -G; grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status";
    const { stdout } = await runv(["exec", ...flags, id("main"), "sh", "-c", script]);
    // audit_write, kill and net_bind_service are the default's; sys_ptrace is number 19.
    expect(stdout).toBe("/tmp\n1000\n1001\n1001 7 8\nCapBnd:\t0000000020080420\nNoNewPrivs:\t1\n");
  });

  runvTest("exec --process reads all of a process from a file", async ({ runv, id, directory }) => {
    const file = join(directory, "process.json");
    const process = {
      args: ["sh", "-c", 'echo "$0 $WORD $(pwd) $(id -u):$(id -g) $(umask) $(ulimit -n)"; cat', "name"],
      env: ["PATH=/bin", "WORD=given"],
      cwd: "/var",
      user: { uid: 5, gid: 6, umask: 0o77 },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 99, hard: 100 }],
    };
    writeFileSync(file, JSON.stringify(process));
    expect(await runv(["exec", "--process", file, id("main")], { input: "in" })).toEqual({
      code: 0,
      stdout: "name given /var 5:6 0077 99\nin",
      stderr: "",
    });
  });

  runvTest("a command that is not there, or is no program, fails in the words that Docker looks for", async (rig) => {
    const exec = (...command: string[]) => rig.runv(["exec", rig.id("main"), ...command]);
    const missing = await exec("nothing-of-that-name");
    expect(missing.code).toBe(255);
    expect(missing.stderr).toContain("executable file not found in $PATH");
    expect((await exec("/nothing/there")).stderr).toContain("no such file or directory");
    expect((await exec("/etc/passwd")).stderr).toContain("permission denied");
  });

  runvTest(
    "exec --detach returns while the process runs, whose pid is a child of the subreaper and ends as it does",
    async ({ command, id, directory }) => {
      const pidFile = join(directory, "exec.pid");
      const detached = ["exec", "--detach", "--pid-file", pidFile, id("main")];
      const exits = await reap(pidFile, command([...detached, "sh", "-c", "sleep 0.5; exit 23"]));
      expect(exits).toEqual({ command: 0, pidFile: expect.stringMatching(/^\d+$/), child: true, status: 23 << 8 });
      const killed = await reap(pidFile, command([...detached, "sh", "-c", "sleep 0.5; kill -TERM $$"]));
      expect(killed.status).toBe(143 << 8);
    },
  );

  runvTest("a signal to the pid of an exec reaches the process", async ({ runv, id, directory }) => {
    const pidFile = join(directory, "signal.pid");
    const file = join(rootOf(bundle), "tmp/exec-signals");
    const script = `
      trap 'echo HUP >> /tmp/exec-signals' HUP; trap 'echo TERM >> /tmp/exec-signals; exit 3' TERM
      echo ready >> /tmp/exec-signals; while :; do sleep 0.1; done`;
    const seen = () => {
      try {
        return readFileSync(file, "utf8");
      } catch {
        return "";
      }
    };
    expect((await runv(["exec", "-d", "--pid-file", pidFile, id("main"), "sh", "-c", script])).code).toBe(0);
    const pid = Number(readFileSync(pidFile, "utf8"));
    await until("the process is ready", () => seen() === "ready\n");
    process.kill(pid, "SIGHUP");
    await until("SIGHUP has come", () => seen() === "ready\nHUP\n");
    process.kill(pid, "SIGTERM");
    await until("SIGTERM has come", () => seen() === "ready\nHUP\nTERM\n");
  });

  runvTest("a signal to a foreground exec reaches the process", async ({ spawn, id }) => {
    const child = spawn([
      "exec",
      id("main"),
      "sh",
      "-c",
      "trap 'echo caught; exit 4' TERM; echo ready; while :; do sleep 0.1; done",
    ]);
    const reader = child.stdout.getReader();
    const text = async () => Buffer.from((await reader.read()).value ?? new Uint8Array()).toString();
    expect(await text()).toBe("ready\n");
    child.kill("SIGTERM");
    expect(await text()).toBe("caught\n");
    expect(await child.exited).toBe(4);
  });

  runvTest("kill reaches the first process with every signal, real-time ones too", async ({ runv, id }) => {
    const file = join(rootOf(bundle), "tmp/signals");
    await until("the container is ready", () => readFileSync(file, "utf8").includes("ready"));
    const expected = [
      ["HUP", "HUP"],
      ["SIGUSR1", "USR1"],
      ["12", "USR2"],
      ["RTMIN+3", "37"],
      ["RTMAX", "64"],
    ] as const;
    for (const [signal, word] of expected) {
      expect(await runv(["kill", id("main"), signal])).toEqual({ code: 0, stdout: "", stderr: "" });
      await until(`${signal} has come`, () => readFileSync(file, "utf8").endsWith(`${word}\n`));
    }
  });

  runvTest("orphans are reaped", async ({ runv, id }) => {
    await runv(["exec", id("main"), "sh", "-c", "(sleep 0.1 &) ; (sh -c 'sleep 0.2 &' &)"]);
    const states = async () => (await runv(["exec", id("main"), "sh", "-c", "cat /proc/[0-9]*/stat"])).stdout;
    await until("no process is a zombie or an orphan's sleep", async () => !/\) Z /.test(await states()));
  });

  runvTest("nothing runs while it is paused; exec waits for resume or is refused", async (rig) => {
    const { runv, id } = rig;
    const clock = "i=0; while :; do i=$((i+1)); echo $i > /tmp/clock; done";
    const exec = rig.spawn(["exec", id("main"), "sh", "-c", clock]);
    const ticks = () => readFileSync(join(rootOf(bundle), "tmp/clock"), "utf8");
    await until("the clock ticks", () => {
      try {
        return ticks().length > 1;
      } catch {
        return false;
      }
    });
    expect(await runv(["pause", id("main")])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await statusOf(rig, id("main"))).toBe("paused");
    const then = ticks();
    const refused = await runv(["exec", id("main"), "true"]);
    expect(refused.code).toBe(255);
    expect(refused.stderr).toContain("cannot exec in a paused container (use --ignore-paused to override)");
    expect(ticks()).toBe(then);
    const waiting = rig.spawn(["exec", "--ignore-paused", id("main"), "echo", "resumed"]);
    expect(await runv(["resume", id("main")])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await new Response(waiting.stdout).text()).toBe("resumed\n");
    await until("the clock ticks again", () => ticks() !== then);
    expect(await statusOf(rig, id("main"))).toBe("running");
    exec.kill("SIGTERM");
    expect(await exec.exited).toBe(143);
  });

  runvTest("a command is looked for along PATH, as execvp(3) does", async ({ runv, id }) => {
    const make = `mkdir -p /p/a/x/cmd /p/a/y /p/b/c /p/file; echo no >/p/a/y/cmd; ln -s /p/b /p/link
      for d in b b/c; do printf '#!/bin/sh\\necho %s $0\\n' $d >/p/$d/cmd; chmod 755 /p/$d/cmd; done`;
    expect(await runv(["exec", id("main"), "sh", "-c", make])).toMatchObject({ code: 0 });
    const look = async (PATH: string, name = "cmd") => {
      const { stdout, stderr } = await runv(["exec", "-e", `PATH=${PATH}`, "--cwd", "/p", id("main"), name]);
      return stdout.trim() || /permission denied|not found in \$PATH|no such file/.exec(stderr)?.[0];
    };
    const [found, denied, missing] = ["b /p/b/cmd", "permission denied", "not found in $PATH"];
    expect(await look("/p/none/x:/p/none/y:/p/a/x:/p/a/y:/p/b:/p/b/c")).toBe(found);
    expect(await look("//p//a/x/:/p/b/c:/p/b")).toBe("b/c /p/b/c/cmd");
    expect(await look("/p/a/y/cmd:/p/a/y/cmd/x:/p/link/../b:/p/link")).toBe("b /p/link/../b/cmd");
    expect(await look("b/c:b")).toBe("b/c b/c/cmd");
    expect(await look(":/p/a", "b/cmd")).toBe("b b/cmd");
    expect(await look("/p/a/x:/p/none/a:/p/none/b")).toBe(denied);
    expect(await look("/p/a/y:/p/none")).toBe(denied);
    expect(await look("/p/none/a:/p/none/b:/p/file/a:/p/file/b")).toBe(missing);
    expect(await look("/p", "./none")).toBe("no such file");
    expect(await look("/p/b", "")).toBe(missing);
  });

  runvTest("ps names processes of the host, and the container's own by name", async (rig) => {
    const { runv, id } = rig;
    const { pid } = JSON.parse((await runv(["state", id("main")])).stdout);
    const pidFile = join(rig.directory, "slept.pid");
    const sleeping = ["sh", "-c", "sleep 1000; true", "--version"];
    await runv(["exec", "-d", "--pid-file", pidFile, id("main"), ...sleeping]);
    const slept = Number(readFileSync(pidFile, "utf8"));
    const { stdout } = await runv(["ps", "--format", "json", id("main")]);
    expect(JSON.parse(stdout).sort()).toEqual([pid, slept].sort());
    const { process: main } = JSON.parse(readFileSync(join(rig.bundles()[0]!, "config.json"), "utf8"));
    expect(commandOf(pid)).toEqual(main.args);
    expect(commandOf(slept)).toEqual(sleeping);
    process.kill(slept, "SIGKILL");
  });

  runvTest("commands on one container at once do not disturb one another", async (rig) => {
    const { runv, id } = rig;
    const container = id("main");
    const results = await Promise.all([
      ...Array.from({ length: 6 }, (_, i) => runv(["exec", container, "sh", "-c", `echo ${i}; exit ${i}`])),
      ...Array.from({ length: 4 }, () => runv(["state", container])),
      ...Array.from({ length: 2 }, () => runv(["list", "-q"])),
      runv(["kill", container, "HUP"]),
      runv(["create", "-b", bundle, container]),
    ]);
    const codes = results.map(({ code }) => code);
    expect(codes).toEqual([0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(results.at(-1)?.stderr).toContain("container with given ID already exists");
    const changes = await Promise.all(["pause", "pause", "resume", "resume"].map((verb) => runv([verb, container])));
    for (const { code, stderr } of changes)
      expect(code === 0 || /container not (running|paused)/.test(stderr)).toBeTrue();
    await runv(["resume", container]);
    expect(await statusOf(rig, container)).toBe("running");
  });
});

runvTest(
  "run passes on what the container says and its exit code, and leaves nothing",
  async ({ runv, bundle, id }) => {
    const script = "cat; echo to stderr >&2; sleep 0.1 & exit 7";
    const path = await bundle({ args: ["sh", "-c", script] });
    expect(await runv(["run", "-b", path, id("exit")], { input: "through\n" })).toEqual({
      code: 7,
      stdout: "through\n",
      stderr: "to stderr\n",
    });
    expect((await runv(["list", "-q"])).stdout).toBe("");
  },
);

runvTest(
  "a signal to a foreground run reaches the container; killed by it, the code is 128 and its number",
  async (rig) => {
    const path = await rig.bundle({
      args: [
        "sh",
        "-c",
        "trap 'echo bye; trap - TERM; kill -TERM $$; exec sleep 0.1; exit 9' TERM; echo up; while :; do sleep 0.1; done",
      ],
    });
    // The first process of a pid namespace is immune to its own signals, so it is a child that dies here.
    const child = rig.spawn(["run", "-b", path, rig.id("signal")]);
    const reader = child.stdout.getReader();
    const text = async () => Buffer.from((await reader.read()).value ?? new Uint8Array()).toString();
    expect(await text()).toBe("up\n");
    child.kill("SIGTERM");
    expect(await text()).toBe("bye\n");
    expect(await child.exited).toBe(0);
  },
);

runvTest("run --trace: a timeline of all of runv's processes, to the first output and the end", async (rig) => {
  const file = join(rig.directory, "trace.json");
  const bundle = await rig.bundle({ args: ["echo", "hi"] });
  const { code, stdout } = await rig.runv(["run", "--trace", file, "-b", bundle, rig.id("traced")]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "hi\n" });
  // The array's end may be missing in this format.
  const events: { name: string; cat: string; ph: string; ts: number; dur?: number }[] = JSON.parse(
    `${readFileSync(file, "utf8").replace(/,\s*$/, "")}]`,
  );
  const seen = new Set(events.map(({ cat, name }) => `${cat}: ${name}`));
  const stages = [
    "runv: start of the executable",
    "runv: share",
    "runv: hooks",
    "runv: network",
    "runv: start",
    "runv: delete",
  ];
  for (const stage of [...stages, "monitor: hypervisor: end", "shim: the first output"]) expect(seen).toContain(stage);
  const first = Math.min(...events.map(({ ts }) => ts));
  expect(events.find(({ name }) => name === "start of the executable")!.ts).toBe(first);
  for (const { ph, dur } of events) expect(ph === "i" ? 0 : dur).toBeGreaterThanOrEqual(0);
});

runvTest("create, start, kill: the pid in the file is the caller's to reap, with the container's code", async (rig) => {
  const { runv, command, directory, id } = rig;
  const path = await rig.bundle({ args: ["sh", "-c", "while :; do sleep 1; done"] });
  const pidFile = join(directory, "init.pid");
  const reaped = reap(pidFile, command(["create", "-b", path, "--pid-file", pidFile, id("life")]));
  const state = await until(
    "the container is created",
    async () => {
      const { code, stdout } = await runv(["state", id("life")]);
      const state = code === 0 ? JSON.parse(stdout) : undefined;
      return state?.status === "created" && state;
    },
    60_000,
  );
  expect(state.pid).toBe(Number(readFileSync(pidFile, "utf8")));
  expect((await runv(["exec", id("life"), "true"])).code).toBe(0);
  expect(await runv(["start", id("life")])).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(await statusOf(rig, id("life"))).toBe("running");
  const sleepers = ["exec", "-d", id("life"), "sleep", "1000"];
  expect((await runv(sleepers)).code).toBe(0);
  expect((await runv(["kill", "--all", id("life"), "KILL"])).code).toBe(0);
  expect(await reaped).toEqual({ command: 0, pidFile: String(state.pid), child: true, status: 137 << 8 });
  expect(await statusOf(rig, id("life"))).toBe("stopped");
  const kill = await runv(["kill", id("life"), "KILL"]);
  expect(kill.code).toBe(1);
  expect(kill.stderr).toContain("container not running");
  expect((await runv(["kill", "--all", id("life"), "0"])).code).toBe(0);
  const all = await Promise.all(Array.from({ length: 4 }, () => runv(["delete", "--force", id("life")])));
  expect(all.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
});
