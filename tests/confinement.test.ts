/** A process cannot do what its configuration forbids. */
import { expect } from "bun:test";
import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./support/bundle";
import { runvTest } from "./support/rig";

const someone = (config: Config): void => {
  config.process.user = { uid: 1000, gid: 1000 };
  config.process.capabilities = { bounding: ["CAP_KILL"], effective: [], permitted: [] };
};

runvTest("capabilities, no_new_privs", async ({ runv, bundle, id }) => {
  for (const noNewPrivileges of [true, false]) {
    const path = await bundle({
      rootfs: "debian",
      args: ["sh", "-c", "/setuid -u; chown 5 /tmp 2>&1; kill -0 1 && echo mine"],
      change: (config) => {
        someone(config);
        config.process.noNewPrivileges = noNewPrivileges;
        config.root.readonly = false;
        const setuid = join(config.root.path, "setuid");
        copyFileSync(join(config.root.path, "usr/bin/id"), setuid);
        chmodSync(setuid, 0o4755);
      },
    });
    const { stdout } = await runv(["run", "-b", path, id(`plain-${noNewPrivileges}`)]);
    expect(stdout.split("\n")).toEqual([
      noNewPrivileges ? "1000" : "0",
      "chown: changing ownership of '/tmp': Operation not permitted",
      "mine",
      "",
    ]);
  }
});

runvTest("the number of processes", async ({ runv, bundle, id }) => {
  const path = await bundle({
    args: ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 3 & done; wait; echo all"],
    change: (config) => {
      config.linux.resources = { pids: { limit: 6 } };
    },
  });
  const { code, stdout, stderr } = await runv(["run", "-b", path, id("pids")]);
  expect(code).not.toBe(0);
  expect(stdout).toBe("");
  expect(stderr).toContain("can't fork: Resource temporarily unavailable");
});

runvTest("memory: the kernel ends what takes more", async ({ runv, bundle, id }) => {
  const path = await bundle({
    args: ["tail", "/dev/zero"],
    change: (config) => {
      config.linux.resources = { memory: { limit: 32 << 20, swap: 32 << 20 } };
    },
  });
  expect(await runv(["run", "-b", path, id("memory")])).toMatchObject({ code: 128 + 9, stdout: "" });
});
