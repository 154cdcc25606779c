/** io.containerd.runv.v2 under a real containerd: parts are killed at any moment, and nothing is lost or left. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { until } from "../support/until";
import { Daemons } from "./support/daemons";
import { importToContainerd } from "./support/images";
import { World } from "./support/world";

const world = new World();
const daemons = new Daemons(world);
const image = "docker.io/library/busybox:latest";
const run = (flags: string, id: string, command: string) =>
  world.must(`ctr run ${flags} --runtime io.containerd.runv.v2 ${image} ${id} ${command}`);

/** containerd's snapshotter of images, each of which is a copy of one that is empty. */
const blockfile = `
[plugins."io.containerd.snapshotter.v1.blockfile"]
  scratch_file = "/run/scratch.img"
  fs_type = "ext4"
`;
const missing = /v?1\.6\./.test(Bun.spawnSync(["containerd", "--version"]).stdout.toString())
  ? "containerd 1.6 has no blockfile snapshotter"
  : undefined;
if (missing !== undefined)
  process.stderr.write(`tests/clients/shim.test.ts: images as root file systems: skipped: ${missing}\n`);

beforeAll(async () => {
  await world.open();
  await daemons.configure();
  await daemons.write("/run/blockfile.toml", blockfile);
  await world.must("cat /run/blockfile.toml >> /etc/containerd/config.toml");
  await world.must("truncate -s 64M /run/scratch.img && mkfs.ext4 -q /run/scratch.img");
  await daemons.startContainerd();
  await importToContainerd(world, "busybox");
}, 120_000);

afterEach(async () => {
  await world.run("for id in $(ctr container ls -q); do ctr task delete -f $id; ctr container rm $id; done");
  await until("all processes of the containers end", () => world.processes().length <= 2, 30_000);
  const left =
    "find /run/runv -mindepth 3 ! -name .sandboxes; ls /run/containerd/io.containerd.runtime.v2.task/default";
  expect(await world.must(`${left}; grep -c rootfs /proc/mounts || true`)).toBe("0\n");
}, 60_000);

afterAll(async () => {
  daemons.containerd.kill("SIGTERM");
  await daemons.containerd.exited;
  await world.close();
}, 60_000);

/** A task's status, as `ctr task ls` tells it; empty when there is none. */
async function statusOf(id: string): Promise<string> {
  return (await world.must(`ctr task ls | awk '$1 == "${id}" { print $3 }'`)).trim();
}

/** A process that stands in a container's record, or the one that serves containerd. */
async function processOf(id: string, part: "shim" | "monitor" | "machine" | "server"): Promise<number> {
  const record = JSON.parse(await world.must(`cat /run/runv/.containerd/default/${id}/state.json`));
  if (part !== "server") return record[part].pid;
  return Number(/^PPid:\s+(\d+)$/m.exec(await Bun.file(`/proc/${record.shim.pid}/status`).text())?.[1]);
}

test("tasks outlive containerd, and what has ended meanwhile is told with its code", async () => {
  await run("-d", "lives", "sleep 1000");
  await run("-d", "ends", "sh -c 'trap \"exit 9\" TERM; touch /ready; while :; do sleep 0.1; done'");
  await until(
    "it waits for its signal",
    async () => (await world.run("ctr task exec --exec-id look ends test -e /ready")).code === 0,
  );
  await world.must("ctr task exec -d --exec-id further lives sleep 1000");
  daemons.containerd.kill("SIGKILL");
  await daemons.containerd.exited;
  process.kill(await processOf("ends", "shim"), "SIGTERM");
  await daemons.startContainerd();
  await until("its end is told", async () => (await statusOf("ends")) === "STOPPED");
  expect((await world.run("ctr task delete ends")).output).toContain("exit code 9");
  expect(await statusOf("lives")).toBe("RUNNING");
  expect(await world.must("ctr task exec --exec-id one lives echo still")).toBe("still\n");
  expect((await world.must("ctr task ps lives")).trim().split("\n")).toHaveLength(3);
});

test.each(["shim", "monitor", "machine"] as const)("the %s is killed: the task has ended", async (part) => {
  await run("-d", part, "sleep 1000");
  process.kill(await processOf(part, part), "SIGKILL");
  await until("its end is told", async () => (await statusOf(part)) === "STOPPED");
  expect((await world.run(`ctr task delete ${part}`)).output).toContain("137");
});

test("who serves containerd is killed: all of the task goes, whether containerd is there or not", async () => {
  await run("-d", "one", "sleep 1000");
  process.kill(await processOf("one", "server"), "SIGKILL");
  await until("the task is gone", async () => (await statusOf("one")) === "");
  await run("-d", "two", "sleep 1000");
  const server = await processOf("two", "server");
  daemons.containerd.kill("SIGKILL");
  await daemons.containerd.exited;
  process.kill(server, "SIGKILL");
  await until("the machine goes", () => world.processes().length <= 1);
  await daemons.startContainerd();
  expect(await statusOf("two")).toBe("");
});

const logger = `#!/bin/sh
exec >/run/logged
echo "$CONTAINER_NAMESPACE $CONTAINER_ID $*"
exec 5>&-
cat <&3
cat <&4
`;

test("output goes to a file, or to a program that logs", async () => {
  const command = "sh -c 'echo out; sleep 0.1; echo err >&2'";
  await run("--rm --log-uri file:///run/logs/file", "file", command);
  expect(await world.must("cat /run/logs/file")).toBe("out\nerr\n");
  await daemons.write("/run/logger", logger);
  await world.must("chmod +x /run/logger");
  await run("--rm --log-uri 'binary:///run/logger?key=value'", "binary", command);
  expect(await world.must("cat /run/logged")).toBe("default binary key value\nout\nerr\n");
});

test.skipIf(missing !== undefined)("an image of the blockfile snapshotter is a disk, and is left whole", async () => {
  const script = "head -n 1 /proc/mounts; echo $HOME; echo kept > /word";
  const onDisk = "ctr run --snapshotter blockfile --runtime io.containerd.runv.v2";
  expect(await world.must(`${onDisk} ${image} disk sh -c '${script}'`)).toMatch(/^\/dev\/vd\w \/ ext4 rw.*\n\/root\n$/);
  // By the host's kernel, to read only, which a journal that is not empty refuses.
  const mount =
    "mount -o loop,ro $(find /var/lib/containerd/*blockfile -type f -newer /run/scratch.img -size +1M | xargs ls -t | head -n 1)";
  expect(await world.must(`${mount} /mnt && cat /mnt/word; umount /mnt`)).toBe("kept\n");
  await world.must("ctr task delete disk; ctr container rm disk");
});

test("events come once, in order", async () => {
  const events = world.start(["ctr", "events"], `${world.directory}/events`);
  // Nothing tells that it listens: an event of another kind does.
  await until("events are heard", async () => {
    await world.must("ctr namespace create probe; ctr namespace remove probe");
    return (await Bun.file(`${world.directory}/events`).text()).includes("/namespaces/");
  });
  await run("-d --memory-limit 33554432", "told", "tail /dev/zero");
  await until("its end is told", async () => (await statusOf("told")) === "STOPPED");
  await world.run("ctr task delete told");
  events.kill();
  const topics = (await Bun.file(`${world.directory}/events`).text()).matchAll(/\/tasks\/([\w-]+)/g);
  expect([...topics].map(([, name]) => name)).toEqual(["create", "start", "oom", "exit", "delete"]);
});
