/** What runc does since 1.2, and its own tests look at: masks, memory policies, what is said of an execve(2), `--debug`, limits of 0. */
import { expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "./support/rig";

runvTest("masked directories share one file system, and each is masked once", async ({ runv, bundle, id }) => {
  const script = `
    stat -c %d /etc /home /root
    for path in /etc /home /root /secret; do awk -v path=$path '$2 == path' /proc/mounts | wc -l; done
    ls -A /etc /home; wc -c < /secret
    touch /root/x || touch /etc/x || umount /home`;
  const path = await bundle({
    args: ["sh", "-c", script],
    change: ({ linux, root }) => {
      writeFileSync(join(root.path, "secret"), "told");
      linux.maskedPaths = ["/etc", "/home", "/etc", "/secret", "/root", "/secret"];
    },
  });
  const { stdout, stderr, code } = await runv(["run", "-b", path, id("masks")]);
  const [etc, home, root, ...rest] = stdout.trim().split("\n");
  expect([home, root]).toEqual([etc, etc]);
  expect(rest.map((line) => line.trim())).toEqual(["1", "1", "1", "1", "/etc:", "", "/home:", "0"]);
  expect(stderr).toContain("touch: /root/x: Read-only file system");
  expect(stderr).toContain("touch: /etc/x: Read-only file system");
  expect(code).toBe(1);
});

runvTest("a memory policy is that of the container's processes, of further ones too", async ({ runv, bundle, id }) => {
  const nodes = readFileSync("/sys/devices/system/node/online", "utf8").trim();
  if (nodes !== "0") return;
  const path = await bundle({
    args: ["sleep", "1000"],
    change: ({ linux }) => {
      linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] };
    },
  });
  expect(await runv(["run", "-d", "-b", path, id("policy")])).toMatchObject({ code: 0, stderr: "" });
  const script = "head -n 1 /proc/1/numa_maps; head -n 1 /proc/self/numa_maps";
  const { stdout } = await runv(["exec", id("policy"), "sh", "-c", script]);
  expect(stdout.match(/bind=static:0/g)).toHaveLength(2);
  expect((await runv(["delete", "--force", id("policy")])).code).toBe(0);
});

runvTest("an error of execve(2) is the process's own word, and its code 255", async ({ runv, bundle, id }) => {
  const path = await bundle({
    args: ["/script"],
    change: ({ root }) => writeFileSync(join(root.path, "script"), "#!/no/such/interpreter\n", { mode: 0o755 }),
  });
  const missing = { code: 255, stdout: "", stderr: "exec /script: no such file or directory\n" };
  expect(await runv(["run", "-b", path, id("execve")])).toEqual(missing);
});

runvTest(
  "--debug tells of what succeeds, in the log and not in the container's output",
  async ({ runv, bundle, id, directory }) => {
    const path = await bundle({ args: ["echo", "hello"] });
    const log = join(directory, "debug.log");
    const args = ["--debug", "--log", log, "--log-format", "json", "run", "-b", path, id("debug")];
    expect(await runv(args)).toEqual({ code: 0, stdout: "hello\n", stderr: "" });
    const lines = readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const told = lines.filter(({ level }) => level === "debug").map(({ msg }) => msg);
    for (const step of ["share", "wait for the container", "start", "runv run"]) expect(told).toContain(step);
  },
);

runvTest("pids.limit: 0 is one process, or none in older specifications; -1 is none", async ({ runv, bundle, id }) => {
  const limits: string[] = [];
  for (const [index, [ociVersion, limit]] of [
    ["1.3.0", 0],
    ["1.2.0", 0],
    ["1.3.0", -1],
  ].entries()) {
    const path = await bundle({
      args: ["cat", "/sys/fs/cgroup/pids.max"],
      change: (config) => {
        config.ociVersion = ociVersion;
        config.linux.resources = { pids: { limit } };
        config.linux.namespaces.push({ type: "cgroup" });
      },
    });
    limits.push((await runv(["run", "-b", path, id(`pids-${index}`)])).stdout.trim());
  }
  expect(limits).toEqual(["1", "max", "max"]);
});

runvTest("update: a burst, also one of 0, inside and on the host", async ({ runv, bundle, id, name }) => {
  const path = await bundle({
    args: ["sleep", "1000"],
    change: ({ linux }) => {
      linux.cgroupsPath = `/${name}-burst`;
      linux.resources = { cpu: { quota: 50_000, period: 100_000 } };
      linux.namespaces.push({ type: "cgroup" });
    },
  });
  expect(await runv(["run", "-d", "-b", path, id("burst")])).toMatchObject({ code: 0, stderr: "" });
  const outside = () => {
    const at = `/sys/fs/cgroup/cpu/${name}-burst/cpu.cfs_burst_us`;
    return existsSync(at) ? readFileSync(at, "utf8").trim() : undefined;
  };
  const inside = async () => (await runv(["exec", id("burst"), "cat", "/sys/fs/cgroup/cpu.max.burst"])).stdout.trim();
  for (const burst of ["20000", "0"]) {
    expect(await runv(["update", "--cpu-burst", burst, id("burst")])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect([await inside(), outside() ?? burst]).toEqual([burst, burst]);
  }
  expect((await runv(["delete", "--force", id("burst")])).code).toBe(0);
});

runvTest("many mounts are made in a user namespace, however few descriptors the process may have", async (rig) => {
  const { runv, bundle, id, directory } = rig;
  const path = await bundle({
    args: ["sh", "-c", "ulimit -Sn; ulimit -Hn; ls /mnt | wc -l"],
    change: (config) => {
      config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 20, hard: 21 }];
      config.linux.namespaces.push({ type: "user" });
      config.linux.uidMappings = config.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 65536 }];
      for (let index = 0; index < 30; index++) {
        config.mounts.push({ destination: `/mnt/${index}`, source: directory, type: "bind", options: ["bind"] });
      }
    },
  });
  const { code, stdout, stderr } = await runv(["run", "-b", path, id("mounts")]);
  expect({ code, words: stdout.split(/\s+/), stderr }).toEqual({ code: 0, words: ["20", "21", "30", ""], stderr: "" });
});
