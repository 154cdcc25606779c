/** The leak check itself: it must see what it is there to see. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { command } from "./command";
import { leakFinder, settle } from "./leaks";
import { marker } from "./runv";

/** Makes something, looks, unmakes it, looks again. */
async function seen(make: (directory: string) => Promise<() => unknown>): Promise<string[]> {
  const directory = mkdtempSync("/tmp/runv-test-");
  const find = leakFinder(basename(directory), join(directory, "root"));
  expect(find()).toEqual([]);
  const unmake = await make(directory);
  const found = find();
  await unmake();
  expect(await settle(find)).toEqual([]);
  rmSync(directory, { recursive: true });
  return found;
}

test("processes, by their mark, even when they are somebody else's children", async () => {
  const found = await seen(async (directory) => {
    const env = { ...process.env, [marker]: basename(directory) };
    const { stdout } = Bun.spawnSync(["sh", "-c", "sleep 100 >/dev/null 2>&1 & echo $!"], { env });
    return () => process.kill(Number(stdout.toString()), "SIGKILL");
  });
  expect(found).toEqual([expect.stringMatching(/^process \d+ \(\w, child of \d+\): sleep 100$/)]);
});

test("mounts", async () => {
  const found = await seen(async (directory) => {
    await command("mount", "-t", "tmpfs", "none", directory);
    return () => command("umount", directory);
  });
  expect(found).toEqual([expect.stringMatching(/^mount .*tmpfs/)]);
});

test("sockets and files", async () => {
  const found = await seen(async (directory) => {
    mkdirSync(join(directory, "root/.sandboxes"), { recursive: true });
    const path = join(directory, "root/.sandboxes/socket");
    const server = createServer();
    await new Promise<void>((done) => server.listen(path, done));
    return () => new Promise((done) => server.close(done));
  });
  expect(found).toEqual([expect.stringMatching(/^socket .*\/socket$/), expect.stringMatching(/^\/.*\/socket$/)]);
});

test("cgroups", async () => {
  const found = await seen(async (directory) => {
    const hierarchy = existsSync("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
    const path = join(hierarchy, basename(directory));
    mkdirSync(path);
    return () => rmdirSync(path);
  });
  expect(found).toEqual([expect.stringMatching(/^\/sys\/fs\/cgroup\/.*runv-test-/)]);
});

test("network interfaces", async () => {
  const found = await seen(async () => {
    await command("ip", "tuntap", "add", "runvleak0", "mode", "tap");
    return () => command("ip", "tuntap", "del", "runvleak0", "mode", "tap");
  });
  expect(found).toEqual(["network interface runvleak0"]);
});
