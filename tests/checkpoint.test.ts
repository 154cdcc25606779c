/** `runv checkpoint` and `restore`: a running container as files, and a container again. */
import { expect } from "bun:test";
import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { partsOf } from "./drivers/support/parts";
import type { Config } from "./support/bundle";
import { command } from "./support/command";
import { makeImage, onDisk } from "./support/disk-image";
import { clean, type Rig, runvTest } from "./support/rig";
import type { RunvOptions } from "./support/runv";
import { until } from "./support/until";

const patience = 120_000;

const runv = (rig: Rig, args: readonly string[], options: RunvOptions = {}) =>
  rig.runv(["--driver", "tcg", ...args], options);

async function succeed(rig: Rig, args: readonly string[], options: RunvOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runv(rig, args, options);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
  return stdout;
}

/** Runs a container in the background. @returns its id */
async function start(rig: Rig, suffix: string, bundle: string, ...flags: string[]): Promise<string> {
  const id = rig.id(suffix);
  await succeed(rig, [...flags, "run", "-d", "-b", bundle, id], { stdout: "/dev/null" });
  return id;
}

const output = async (rig: Rig, id: string, command: string) =>
  (await succeed(rig, ["exec", id, "sh", "-c", command])).trim();

const restore = (rig: Rig, bundle: string, image: string, id: string) =>
  succeed(rig, ["restore", "-d", "-b", bundle, "--image-path", image, id], { stdout: "/dev/null" });

/** Counts into a file that stays open, and by a pipe into one in memory; at USR1 it says what it has in a file that has no name. */
const counter = `
  echo kept >/unnamed; exec 5>>/counted 6>>/unnamed 7</unnamed; rm /unnamed
  trap 'echo more >&6; cat <&7 >/told' USR1
  i=0; while :; do i=$((i+1)); echo $i >&5; echo $i; sleep 0.2; done | while read n; do echo $n >>/dev/shm/seen; done &
  while :; do wait; done`;

const count = async (rig: Rig, id: string) =>
  Number(await output(rig, id, "tail -n 1 /dev/shm/seen 2>/dev/null || echo 0"));

/** What was counted: all numbers, in their order. */
async function counted(rig: Rig, id: string): Promise<number> {
  const numbers = (await output(rig, id, "cat /counted")).split("\n").map(Number);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  return numbers.length;
}

/** Starts a container on a disk that counts. */
async function startCounting(rig: Rig, change: (config: Config) => void = () => {}) {
  const disk = await makeImage(rig.directory);
  const bundle = await rig.bundle(onDisk(disk, ["sh", "-c", counter], change));
  const id = await start(rig, "saved", bundle);
  await until("it counts", async () => (await count(rig, id)) > 3, patience);
  return { disk, bundle, id, image: join(rig.directory, "image") };
}

async function countsOn(rig: Rig, id: string): Promise<void> {
  const before = await count(rig, id);
  expect(before).toBeGreaterThan(3);
  await until("it counts on", async () => (await count(rig, id)) > before, patience);
  await counted(rig, id);
}

/** How many rounds one container goes through, and at how many moments commands are killed. */
const rounds = Number(process.env.RUNV_TEST_ROUNDS ?? 2);
const kills = Number(process.env.RUNV_TEST_KILLS ?? 3);

/** What a directory's files take, in MiB. */
const spaceOf = (directory: string) =>
  Math.ceil(readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).blocks, 0) / 2048);

const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size;

async function refused(rig: Rig, code: string, ...args: string[]): Promise<string> {
  const result = await runv(rig, args);
  expect({ args, code: result.code }).toEqual({ args, code: 1 });
  expect(result.stderr).toContain(`code=${code}`);
  return result.stderr;
}

runvTest("a container on a disk goes on where it was saved, as often as one likes", async (rig) => {
  const { bundle, id, image } = await startCounting(rig);
  await output(rig, id, "cat /proc/sys/kernel/random/boot_id >/dev/shm/boot_id");
  const random = "head -c 16 /dev/urandom | od -An -tx1";
  const seen = [await output(rig, id, random)];
  // runc's way to call it, and containerd's: paused, with a path that is there or is not.
  await succeed(rig, ["pause", id]);
  await succeed(rig, ["checkpoint", "--image-path", image, "--work-path", join(rig.directory, "work"), id]);
  expect(await succeed(rig, ["list", "-q"])).toBe("");
  expect((await runv(rig, ["resume", id])).code).toBe(1);
  const names = [rig.id("second"), ...Array(rounds).fill(id)];
  const took: number[] = [];
  for (const name of names) {
    const pidFile = join(rig.directory, "pid");
    const flags = [
      "--image-path",
      image,
      "--work-path",
      join(rig.directory, "work"),
      "--detach",
      "--pid-file",
      pidFile,
    ];
    await succeed(rig, ["restore", ...flags, "-no-subreaper", "--bundle", bundle, name], { stdout: "/dev/null" });
    expect(JSON.parse(await succeed(rig, ["state", name]))).toMatchObject({
      status: "running",
      pid: Number(readFileSync(pidFile, "utf8")),
    });
    await countsOn(rig, name);
    seen.push(await output(rig, name, random));
    await succeed(rig, ["checkpoint", "--image-path", image, name]);
    expect(await succeed(rig, ["list", "-q"])).toBe("");
    // That of the first time is gone.
    expect(readdirSync(image).length).toBe(3);
    took.push(spaceOf(image));
  }
  if (rounds > 2) process.stderr.write(`MiB of each image: ${took.join(" ")}\n`);
  expect(Math.max(...took)).toBeLessThan(took[0]! + 64);
  expect(new Set(seen).size).toBe(seen.length);
  await restore(rig, bundle, image, id);
  await succeed(rig, ["kill", id, "USR1"]);
  const told = async () => await output(rig, id, "cat /told || true");
  await until("it has its file without a name", async () => (await told()) !== "", patience);
  expect(await told()).toBe("kept\nmore");
  expect(await output(rig, id, "diff -q /dev/shm/boot_id /proc/sys/kernel/random/boot_id || true")).not.toBe("");
  expect(await output(rig, id, "grep -c boot_id /proc/mounts")).toBe("1");
  await refused(rig, "CONTAINER_EXISTS", "restore", "-d", "-b", bundle, "--image-path", image, id);
  await succeed(rig, ["kill", id, "KILL"]);
  const stopped = async () => JSON.parse(await succeed(rig, ["state", id])).status === "stopped";
  await until("it has stopped", stopped, patience);
  const said = await refused(rig, "CONTAINER_STATE", "checkpoint", "--image-path", image, id);
  expect(said).toContain("Container cannot be checkpointed in stopped state");
  await succeed(rig, ["delete", id]);
  // What the container has written since cannot be taken back.
  await refused(rig, "CHECKPOINT_DIFFERS", "restore", "-d", "-b", bundle, "--image-path", image, id);
  expect(existsSync(join(rig.root, id))).toBeFalse();
});

runvTest("a container goes on after it was saved, and another where that was", async (rig) => {
  const { disk, bundle, id, image } = await startCounting(rig);
  await succeed(rig, ["checkpoint", "--leave-running", "--image-path", image, id]);
  const at = await count(rig, id);
  await countsOn(rig, id);
  const shown = JSON.parse(await succeed(rig, ["checkpoint", "--show", image]));
  expect(shown).toMatchObject({ version: 1, method: "machine", container: { id, bundle }, disks: [{ path: disk }] });
  const other = rig.id("other");
  await refused(rig, "DISK_SOURCE", "restore", "-d", "-b", bundle, "--image-path", image, other);
  const copy = join(rig.directory, "copy.img");
  copyFileSync(join(image, readdirSync(image).find((name) => name.startsWith("runv-disk-"))!), copy);
  const own = await rig.bundle(onDisk(copy, ["sh", "-c", counter]));
  await restore(rig, own, image, other);
  expect(await counted(rig, other)).toBeLessThanOrEqual(at + 5);
  await countsOn(rig, other);
  await countsOn(rig, id);
  expect(await output(rig, other, "cat /proc/sys/kernel/random/boot_id")).not.toBe(
    await output(rig, id, "cat /proc/sys/kernel/random/boot_id"),
  );
  await clean(rig);
  const said = await refused(rig, "CHECKPOINT_DIFFERS", "restore", "-d", "-b", bundle, "--image-path", image, other);
  expect(said).toMatch(/the image has it as it was: cp --sparse=always \S+\/runv-disk-\w+ \S+\/disk.img/);
});

runvTest("in the foreground it ends with its process's code", async (rig) => {
  const disk = await makeImage(rig.directory);
  const script = "while [ ! -e /dev/shm/go ]; do sleep 0.1; done; echo went; exit 7";
  const bundle = await rig.bundle(onDisk(disk, ["sh", "-c", script]));
  const id = await start(rig, "foreground", bundle);
  const image = join(rig.directory, "image");
  await succeed(rig, ["checkpoint", "--image-path", image, id]);
  const running = runv(rig, ["restore", "-b", bundle, "--image-path", image, id]);
  const touched = async () => (await runv(rig, ["exec", id, "touch", "/dev/shm/go"])).code === 0;
  await until("it runs", touched, patience);
  expect(await running).toEqual({ code: 7, stdout: "went\n", stderr: "" });
  expect(existsSync(join(rig.root, id))).toBeFalse();
});

runvTest("where it cannot be saved it goes on, and nothing is left", async (rig) => {
  const { id, image } = await startCounting(rig);
  mkdirSync(image);
  await command("mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", image);
  try {
    const { code, stderr } = await runv(rig, ["checkpoint", "--image-path", image, id]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/code=(VM_SAVE|CHECKPOINT_WRITE)/) });
    expect(readdirSync(image)).toEqual([]);
    await countsOn(rig, id);
  } finally {
    // Machines that were started since have it too, for a moment.
    await command("umount", "-l", image);
  }
  const made = () => (existsSync(image) ? readdirSync(image) : []);
  /** Starts saving it, and kills who does that as soon as there is such a file. */
  const killAt = async (what: string, isThere: (name: string) => boolean) => {
    const before = new Set(made());
    const checkpoint = rig.spawn(["checkpoint", "--leave-running", "--image-path", image, id]);
    const isNew = (name: string) => !before.has(name) && isThere(name);
    await until(`it writes ${what}`, () => made().some(isNew) || checkpoint.exitCode !== null, patience);
    checkpoint.kill("SIGKILL");
    await checkpoint.exited;
  };
  const begun = (name: string) => name.startsWith("runv-memory");
  // The machine stands still then.
  const saved = (name: string) => name.startsWith("runv-devices") && (sizeOf(join(image, name)) ?? 0) > 0;
  const copied = (name: string) => name.startsWith("runv-disk");
  for (const [what, isThere] of Object.entries({ begun, saved, copied })) {
    await killAt(what, isThere);
    await countsOn(rig, id);
  }
  // What is wanted of it next comes after that it goes on.
  await killAt("saved", saved);
  await succeed(rig, ["pause", id]);
  const used = async () => JSON.parse(await succeed(rig, ["events", "--stats", id])).data.cpu.usage.total;
  const usage = [await used(), await used(), await used(), await used(), await used()];
  expect(new Set(usage).size).toBe(1);
  await succeed(rig, ["resume", id]);
  await countsOn(rig, id);
  await succeed(rig, ["checkpoint", "--leave-running", "--image-path", image, id]);
  expect(made().sort()).toEqual([
    "checkpoint.json",
    ...made()
      .filter((name) => name.startsWith("runv-"))
      .sort(),
  ]);
  expect(made().length).toBe(4);
  await countsOn(rig, id);
  const { machine } = partsOf(rig, id);
  const lost = join(rig.directory, "lost");
  const checkpoint = rig.spawn(["checkpoint", "--image-path", lost, id]);
  await until("it writes", () => existsSync(lost), patience);
  process.kill(machine!, "SIGKILL");
  expect(await checkpoint.exited).toBe(1);
  expect(existsSync(lost)).toBeFalse();
  await clean(rig);
});

runvTest(
  "a checkpoint that is killed leaves a container that goes on, or an image that can be restored",
  async (rig) => {
    const { bundle, id, image } = await startCounting(rig);
    const description = join(image, "checkpoint.json");
    const began = performance.now();
    await succeed(rig, ["checkpoint", "--image-path", image, id]);
    const took = performance.now() - began;
    await restore(rig, bundle, image, id);
    const seen = { ran: 0, saved: 0 };
    for (let kill = 1; kill <= kills; kill++) {
      const before = statSync(description).ino;
      const { machine } = partsOf(rig, id);
      const saving = rig.spawn(["checkpoint", "--image-path", image, id]);
      const whole = () => saving.exitCode !== null || statSync(description).ino !== before;
      const ended = () => saving.exitCode !== null || !existsSync(`/proc/${machine}`);
      // One is at any moment, one when the image has just become whole, one when the machine has just ended.
      if (kill % 3 === 1) await Promise.race([saving.exited, Bun.sleep(took * (kill / kills))]);
      else if (kill % 3 === 2) await until("the image is whole", whole, patience);
      else await until("the machine has ended", ended, patience);
      saving.kill("SIGKILL");
      await saving.exited;
      // What it was about to end may be ending still.
      const status = async () => {
        const { code, stdout } = await runv(rig, ["state", id]);
        return code === 0 ? JSON.parse(stdout).status : "none";
      };
      const runs = async () => (await runv(rig, ["exec", id, "true"])).code === 0;
      const settled = async () => ["none", "stopped"].includes(await status()) || (await runs());
      await until("it runs, or has ended", settled, patience);
      if (await runs()) seen.ran++;
      else {
        seen.saved++;
        await succeed(rig, ["delete", "--force", id]);
        await restore(rig, bundle, image, id);
      }
      await countsOn(rig, id);
    }
    expect(seen.saved).toBeGreaterThanOrEqual(Math.floor(kills / 3));
    if (kills > 3)
      process.stderr.write(`killed ${kills} times: went on ${seen.ran} times, was restored ${seen.saved} times\n`);
    await clean(rig);
  },
);

runvTest("a restore that is killed leaves a container that goes on, or an image that can be restored", async (rig) => {
  const { disk, bundle, id, image } = await startCounting(rig);
  await succeed(rig, ["checkpoint", "--image-path", image, id]);
  const asSaved = join(rig.directory, "as-saved");
  copyFileSync(disk, asSaved);
  const began = performance.now();
  await restore(rig, bundle, image, id);
  const took = performance.now() - began;
  await succeed(rig, ["delete", "--force", id]);
  copyFileSync(asSaved, disk);
  for (let kill = 1; kill <= kills; kill++) {
    const restoring = rig.spawn(["restore", "-d", "-b", bundle, "--image-path", image, id], { stdout: "/dev/null" });
    await Promise.race([restoring.exited, Bun.sleep((took * kill) / kills)]);
    restoring.kill("SIGKILL");
    await restoring.exited;
    const { code, stdout } = await runv(rig, ["state", id]);
    const status = code === 0 ? JSON.parse(stdout).status : "none";
    if (status === "paused") await succeed(rig, ["resume", id]);
    const runs = status === "paused" || status === "running";
    if (runs) await countsOn(rig, id);
    if (code === 0) await succeed(rig, ["delete", "--force", id]);
    await until("nothing is left of it", () => !existsSync(join(rig.root, id)), patience);
    if (runs) copyFileSync(asSaved, disk);
    expect(readFileSync(disk).equals(readFileSync(asSaved))).toBeTrue();
  }
  await restore(rig, bundle, image, id);
  await countsOn(rig, id);
  await clean(rig);
});

runvTest("an image that is damaged, or of something else, is refused before anything is made", async (rig) => {
  const disk = await makeImage(rig.directory);
  const bundle = await rig.bundle(onDisk(disk, ["sleep", "100000"]));
  const id = await start(rig, "saved", bundle);
  const image = join(rig.directory, "image");
  await succeed(rig, ["checkpoint", "--image-path", image, id]);
  const from = (...args: string[]) => ["restore", "-d", "-b", bundle, "--image-path", image, ...args];
  await refused(rig, "CHECKPOINT_MISSING", "restore", "-d", "-b", bundle, "--image-path", rig.directory, id);
  const other = await rig.bundle(onDisk(disk, ["sleep", "100000"], ({ mounts }) => void mounts.pop()));
  expect(await refused(rig, "CHECKPOINT_DIFFERS", "restore", "-d", "-b", other, "--image-path", image, id)).toContain(
    "mounts",
  );
  for (const flag of ["--tcp-established", "--lazy-pages", "--auto-dedup"])
    await refused(rig, "UNSUPPORTED", ...from(flag, id));
  const change = (path: string) => {
    const fd = openSync(path, "r+");
    const [byte, at] = [Buffer.alloc(1), Math.floor(fstatSync(fd).size / 2)];
    readSync(fd, byte, 0, 1, at);
    const flip = () => {
      byte[0]! ^= 1;
      writeSync(fd, byte, 0, 1, at);
    };
    flip();
    return () => {
      flip();
      closeSync(fd);
    };
  };
  for (const name of readdirSync(image)) {
    const restoreFile = change(join(image, name));
    await refused(rig, "CHECKPOINT_DAMAGED", ...from(id));
    restoreFile();
  }
  const undo = change(disk);
  await refused(rig, "CHECKPOINT_DIFFERS", ...from(id));
  undo();
  expect(readdirSync(rig.root).filter((name) => !name.startsWith("."))).toEqual([]);
  await restore(rig, bundle, image, id);
  await output(rig, id, "true");
  await clean(rig);
});

runvTest("what cannot be saved is refused by name, and goes on", async (rig) => {
  const bundle = await rig.bundle({ args: ["sleep", "100000"] });
  const id = await start(rig, "shared", bundle, "--share", "9p");
  const image = join(rig.directory, "image");
  const checkpoint = (...args: string[]) => ["checkpoint", "--image-path", image, ...args];
  expect(await refused(rig, "CHECKPOINT_REFUSED", ...checkpoint(id))).toContain("root.path is served over 9p");
  await refused(rig, "CONTAINER_UNKNOWN", ...checkpoint(rig.id("nobody")));
  for (const flag of ["--pre-dump", "--parent-path=p", "--status-fd=3", "--page-server=a:1", "--empty-ns=pid"]) {
    await refused(rig, "UNSUPPORTED", ...checkpoint(flag, id));
  }
  await output(rig, id, "true");
  const disk = await makeImage(rig.directory);
  const volume = await rig.bundle(
    onDisk(disk, ["sleep", "100000"], ({ mounts }) => {
      mounts.push({ destination: "/volume", type: "bind", source: rig.directory, options: ["rbind"] });
    }),
  );
  const other = await start(rig, "volume", volume, "--share", "9p");
  expect(await refused(rig, "CHECKPOINT_REFUSED", ...checkpoint(other))).toMatch(
    /mounts\[\d+\]\.source is served over 9p/,
  );
  await output(rig, other, "ls /volume");
  const third = await makeImage(rig.directory, "third.img");
  const byFuse = await start(rig, "fuse", await rig.bundle(onDisk(third, ["sleep", "100000"])), "--share", "fuse");
  expect(await refused(rig, "CHECKPOINT_REFUSED", ...checkpoint(byFuse))).toMatch(
    /share is served by fuse cannot be saved.*with --share 9p a container can be/s,
  );
  expect(existsSync(image)).toBeFalse();
  await clean(rig);
});
