/** linux.resources, devices, personality and scheduling, seen from inside. */
import { expect } from "bun:test";
import type { Config } from "./support/bundle";
import { runvTest } from "./support/rig";

function everything(config: Config): void {
  config.process.capabilities = Object.fromEntries(
    ["bounding", "effective", "permitted"].map((set) => [set, ["CAP_MKNOD", "CAP_DAC_OVERRIDE"]]),
  );
  config.process.scheduler = { policy: "SCHED_BATCH", nice: 5 };
  config.process.ioPriority = { class: "IOPRIO_CLASS_IDLE", priority: 0 };
  config.linux.personality = { domain: "LINUX32" };
  config.linux.resources = {
    devices: [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 1, minor: 1, access: "r" },
    ],
    memory: { limit: 64 << 20, swap: 64 << 20, reservation: 32 << 20 },
    cpu: { shares: 512, quota: 50000, period: 100000, burst: 10000, cpus: "0-7" },
    pids: { limit: 33 },
    blockIO: { weight: 500, throttleReadBpsDevice: [{ major: 254, minor: 0, rate: 1 << 30 }] },
    unified: { "memory.high": "60M", "cgroup.max.depth": "3" },
  };
  config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["dev"] });
}

const probe = `
cd /sys/fs/cgroup
for f in memory.max memory.swap.max memory.low memory.high cpu.weight cpu.max cpu.max.burst pids.max cgroup.max.depth; do
  echo $f $(cat $f)
done
uname -m
cut -d' ' -f 19,41 /proc/self/stat
mknod /tmp/mem c 1 1; mknod /tmp/port c 1 4; mknod /tmp/null c 1 3
(: >/tmp/mem) 2>&1
(: </tmp/port) 2>&1
echo >/tmp/null && echo null writable
`;

runvTest("limits and devices of the container", async ({ runv, bundle, id }) => {
  const path = await bundle({ args: ["sh", "-c", probe], change: everything });
  const { stdout, stderr, code } = await runv(["run", "-b", path, id("limits")]);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(stdout.split("\n")).toEqual([
    "memory.max 67108864",
    "memory.swap.max 0",
    "memory.low 33554432",
    "memory.high 62914560",
    "cpu.weight 20",
    "cpu.max 50000 100000",
    "cpu.max.burst 10000",
    "pids.max 33",
    "cgroup.max.depth 3",
    expect.stringMatching(/^i686|armv8l$/),
    "5 3",
    "sh: can't create /tmp/mem: Operation not permitted",
    "sh: can't open /tmp/port: Operation not permitted",
    "null writable",
    "",
  ]);
});
