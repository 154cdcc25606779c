/**
 * Configurations that Docker, podman, containerd's ctr and CRI, and Swarm wrote, run as they are: only the root file system is another
 * one, the network's part is left out, and the files that the client had bound are made anew.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Rig, runvTest } from "./support/rig";
import { until } from "./support/until";

interface Expectation {
  code: number;
  stdout?: RegExp;
  stderr?: RegExp;
  /** For its terminal or standard input. */
  input?: string;
  /** It runs until it gets this signal; it is sent when `stdout` has come. */
  signal?: "TERM" | "KILL";
}

const typed = { input: "echo $((40 + 2)); tty; exit 3\n", code: 3, stdout: /42\n\/dev\/pts\/0\n/ };

const expected: Record<string, Expectation> = {
  "cri-1-sandbox": { code: 137, signal: "KILL" },
  "cri-2-container": { code: 7, signal: "TERM", stdout: /^start\n/ },
  "cri-3-container": typed,
  "ctr-netns": { code: 0, stdout: /lo:/ },
  "ctr-plain": { code: 5, stdout: /^hi\nuid=0\(root\)/ },
  "docker-1.11.2": { code: 3, signal: "TERM", stdout: /^started\n/ },
  "docker-1.12.6": { code: 3, signal: "TERM", stdout: /^started\n/ },
  "docker-device": { code: 0, stdout: /null/ },
  "docker-init": { code: 0, stdout: /PID.*\n *1 root/ },
  "docker-limits": { code: 1, stderr: /memory\.limit_in_bytes/ },
  "docker-net-container": { code: 0, stdout: /lo/ },
  "docker-net-host": { code: 0, stdout: /lo/ },
  "docker-net-none": { code: 0, stdout: /lo/ },
  "docker-pid-host": { code: 0, stdout: /^\d+\n$/ },
  "docker-plain": { code: 0, stdout: /^hi\n$/ },
  "docker-privileged": { code: 0, stdout: /^uid=0\(root\)/ },
  "docker-readonly-tmpfs": { code: 0, stdout: /^ok\n/, stderr: /touch: \/x: Read-only file system/ },
  "docker-tty": typed,
  "docker-ulimit-sysctl-shm": { code: 0, stdout: /^\d+\n1\n\d+\n-?\d+\n.*\n.*\/dev\/shm\n$/ },
  "docker-user": { code: 0, stdout: /^uid=33 gid=44 groups=44,100\n$/ },
  "docker-volumes": {
    code: 0,
    stdout: /stand-in for \/etc\/xfile\n\/a\n$/,
    stderr: /^touch: \/a\/n: Read-only file system\n$/,
  },
  "podman-limits-ports-volumes": { code: 9, signal: "TERM" },
  "podman-plain": { code: 5, stdout: /^hi\nuid=0\(root\)/ },
  "podman-pod-member": { code: 137, signal: "KILL" },
  "podman-tty": typed,
  "swarm-overlay": { code: 137, signal: "KILL" },
  "swarm-secret-config": {
    code: 137,
    signal: "KILL",
    stdout: /^stand-in for \/run\/secrets\/sec1\nstand-in for \/etc\/cfg\n/,
  },
};

/** What these ask for beyond that is not there yet: they are refused, in these words. */
const refused: Record<string, RegExp> = {};

const configs = join(import.meta.dir, "configs");
const recorded = readdirSync(configs).filter(
  (name) => "process" in JSON.parse(readFileSync(join(configs, name), "utf8")),
);

test("every recorded configuration is tried", () => {
  const tried = [...Object.keys(expected), ...Object.keys(refused)].sort();
  expect(tried).toEqual(recorded.map((name) => name.replace(".json", "")).sort());
});

for (const [config, says] of Object.entries(refused)) {
  runvTest(`${config} is refused`, async ({ runv, bundle, id }) => {
    const { code, stderr } = await runv(["run", "-b", await bundle({ config }), id("config")]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(says)]);
  });
}

for (const [config, expectation] of Object.entries(expected)) {
  runvTest(config, async (rig) => {
    const { code, stdout, stderr } = await runConfig(rig, config, expectation);
    expect({ code, stderr }).toEqual({
      code: expectation.code,
      stderr: expect.stringMatching(expectation.stderr ?? /^$/),
    });
    if (expectation.stdout !== undefined) expect(stdout).toMatch(expectation.stdout);
  });
}

async function runConfig(rig: Rig, config: string, { signal, input, stdout }: Expectation) {
  const path = await rig.bundle({ config });
  const id = rig.id("config");
  if (signal === undefined) return await rig.runv(["run", "-b", path, id], input === undefined ? {} : { input });
  const [out, err] = [join(rig.directory, "out"), join(rig.directory, "err")];
  const running = rig.runv(["run", "-b", path, id], { stdout: out, stderr: err });
  await until(
    `${config} runs`,
    async () => {
      const state = await rig.runv(["state", id]);
      if (state.code !== 0 || JSON.parse(state.stdout).status !== "running") return false;
      return stdout === undefined || stdout.test(readFileSync(out, "utf8"));
    },
    60_000,
  );
  // A shell may not have come to its trap yet.
  const ended = running.then((result) => ({ result }));
  for (;;) {
    await rig.runv(["kill", id, signal]);
    const first = await Promise.race([ended, Bun.sleep(500).then(() => undefined)]);
    if (first !== undefined) return first.result;
  }
}
