/** Hooks: createContainer and startContainer in the guest, the others on the host. */
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BundleOptions, Config } from "./support/bundle";
import { runvTest } from "./support/rig";
import { until } from "./support/until";

/** A hook that is a line for the shell. */
const hook = (line: string, more: object = {}) => ({
  path: "/bin/sh",
  args: ["sh", "-c", line],
  env: ["PATH=/bin", "A=b c"],
  ...more,
});

function withHooks(hooks: object, args = ["echo", "ran"]): BundleOptions {
  return {
    args,
    change: (config: Config) => {
      config.root.readonly = false;
      config.hooks = hooks;
      config.annotations = { key: "value" };
    },
  };
}

runvTest("hooks inside see the state and the container", async ({ runv, bundle, id }) => {
  let root = "";
  const options = withHooks({
    createContainer: [hook("cat >/create; id -u >>/create; test -e /proc/self && ls / >/dev/null && mkdir /made")],
    startContainer: [hook("cat >/start; echo $A $$ >>/start; grep CapEff /proc/self/status >>/start"), hook("exit 0")],
  });
  const path = await bundle({
    ...options,
    change: (config) => {
      options.change?.(config);
      root = config.root.path;
    },
  });
  expect(await runv(["run", "-b", path, id("both")])).toEqual({ code: 0, stdout: "ran\n", stderr: "" });
  const [created = "", uid] = readFileSync(join(root, "create"), "utf8").split(/\n|(?<=}})/);
  expect(JSON.parse(created)).toMatchObject({ id: id("both"), status: "creating", bundle: path, pid: 1 });
  expect(uid).toBe("0");
  const [started = "", env, capabilities] = readFileSync(join(root, "start"), "utf8").split(/\n|(?<=}})/);
  expect(JSON.parse(started)).toMatchObject({ status: "created", annotations: { key: "value" } });
  expect(env).toMatch(/^b c \d+$/);
  expect(capabilities).toContain("0000000020000420");
});

runvTest(
  "a hook's environment: each name once; what has none gets that of who runs it",
  async ({ runv, bundle, id, directory }) => {
    const log = join(directory, "environment");
    const path = await bundle(
      withHooks({
        prestart: [
          { ...hook(`echo $OF_RUNV >>${log}`), env: undefined },
          hook(`env | grep -c A= >>${log}`, { env: ["A=1", "A=2", "B"] }),
        ],
        startContainer: [
          { ...hook("env | sort >/inherited"), env: undefined },
          { ...hook("env | sort >/empty"), env: [] },
          hook("env | grep TWICE >/given", { env: ["TWICE=1", "TWICE=2"] }),
        ],
      }),
    );
    const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
    config.process.env = ["PATH=/bin", "OWN=1", "OWN=2"];
    config.process.args = ["sh", "-c", "grep -h -E 'OWN|HOME|TWICE' /inherited /empty /given"];
    writeFileSync(join(path, "config.json"), JSON.stringify(config));
    const result = await runv(["run", "-b", path, id("environment")], { env: { OF_RUNV: "yes" } });
    const own = "HOME=/root\nOWN=2\n";
    expect(result).toEqual({ code: 0, stdout: `${own}${own}TWICE=2\n`, stderr: "" });
    expect(readFileSync(log, "utf8")).toBe("yes\n1\n");
  },
);

runvTest("a hook that fails, is missing, or takes too long", async ({ runv, bundle, id }) => {
  const cases: [object, string, string][] = [
    [
      { startContainer: [hook("exit 3")] },
      "error running startContainer hook #0: /bin/sh: exit status 3",
      "HOOK_FAILED",
    ],
    [
      { startContainer: [hook("kill -USR1 $$")] },
      "error running startContainer hook #0: /bin/sh: signal: user defined signal 1",
      "HOOK_FAILED",
    ],
    [
      { createContainer: [hook("ulimit -c unlimited; kill -ABRT $$")] },
      "error running createContainer hook #0: /bin/sh: signal: aborted",
      "HOOK_FAILED",
    ],
    [
      { startContainer: [hook("sleep 100", { timeout: 1 })] },
      "error running startContainer hook #0: /bin/sh: not done after 1 s",
      "HOOK_FAILED",
    ],
    [
      { createContainer: [{ path: "/usr/bin/nvidia-ctk" }] },
      "hooks.createContainer[0].path: /usr/bin/nvidia-ctk is not in the container's root file system",
      "CONFIG_UNSUPPORTED",
    ],
  ];
  for (const [hooks, message, code] of cases) {
    const path = await bundle(withHooks(hooks));
    const result = await runv(["run", "-b", path, id("failing")]);
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toContain(message);
    expect(result.stderr).toContain(`code=${code}`);
  }
});

runvTest("a poststart hook that fails is an error, and its container is killed", async ({ runv, bundle, id }) => {
  const path = await bundle({
    args: ["sleep", "1000"],
    change: (config) => {
      config.hooks = { poststart: [{ path: "/bin/true" }, { path: "/bin/false" }] };
    },
  });
  const message = "error running poststart hook #1: /bin/false: exit status 1";
  expect((await runv(["create", "-b", path, id("poststart")])).code).toBe(0);
  const { code, stderr } = await runv(["start", id("poststart")]);
  expect(code).toBe(1);
  expect(stderr).toContain(message);
  const status = async () => JSON.parse((await runv(["state", id("poststart")])).stdout).status;
  await until("it is killed", async () => (await status()) === "stopped");
  expect((await runv(["delete", id("poststart")])).code).toBe(0);
  const run = await runv(["run", "-b", path, id("run")]);
  expect(run).toMatchObject({ code: 1, stdout: "" });
  expect(run.stderr).toContain(message);
  expect((await runv(["state", id("run")])).stderr).toContain("container does not exist");
});

runvTest("hooks on the host, each in its time, with the state", async ({ runv, bundle, id, directory }) => {
  const log = join(directory, "hooks.log");
  const note = (name: string) => [hook(`echo ${name} $(cat) >>${log}`)];
  const names = ["prestart", "createRuntime", "poststart", "poststop"];
  const hooks = Object.fromEntries(names.map((name) => [name, note(name)]));
  const path = await bundle(withHooks(hooks));
  expect(await runv(["run", "-b", path, id("host")])).toEqual({ code: 0, stdout: "ran\n", stderr: "" });
  const lines = readFileSync(log, "utf8").trim().split("\n");
  const states = lines.map((line) => JSON.parse(line.slice(line.indexOf(" "))));
  expect(lines.map((line) => line.split(" ")[0])).toEqual(names);
  expect(states.slice(0, 2).map(({ status }) => status)).toEqual(["creating", "creating"]);
  expect(states[3].status).toBe("stopped");
  for (const state of states)
    expect(state).toMatchObject({ id: id("host"), bundle: path, annotations: { key: "value" } });
});
