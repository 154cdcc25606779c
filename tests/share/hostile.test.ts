/**
 * A guest that was taken over, and a server of its files that was, against canaries in directories of the test's own: neither makes, empties, unmounts
 * or removes anything that is not the container's, or writes to what is read-only.
 */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AT_FDCWD, CLONE_NEWNS, MNT_DETACH, MS_BIND, MS_REMOUNT, O_CREAT, O_WRONLY } from "../../src/linux/constants";
import { withDescendants } from "../../src/linux/processes";
import { withFlags } from "../drivers/support/driver";
import type { Config } from "../support/bundle";
import { output } from "../support/command";
import { type Rig, runvTest } from "../support/rig";

const asServer = join(import.meta.dir, "support/as-server.ts");
/** Where a guest's first process, and so its kernel, has the share. */
const share = "/proc/1/root/run/share";

interface World {
  rig: Rig;
  flags: string[];
  readOnly: string;
  writable: string;
  canary: string;
}

function worldOf(rig: Rig, flags: string[]): World {
  const [readOnly, writable, canary] = ["read-only", "writable", "canary"].map((name) => join(rig.directory, name));
  for (const path of [readOnly, writable, canary] as string[]) {
    mkdirSync(path);
    writeFileSync(join(path, "file"), "alive\n");
  }
  return { rig, flags, readOnly: readOnly!, writable: writable!, canary: canary! };
}

/** All of root's capabilities, the machine's own pid namespace, one volume to write to and others not to, and a root that is only to be read. */
function attacker({ readOnly, writable }: World) {
  return ({ process, root, mounts, linux }: Config) => {
    const names =
      "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP MKNOD SYS_CHROOT SYS_PTRACE SYS_ADMIN SYS_RAWIO";
    const capabilities = names.split(" ").map((name) => `CAP_${name}`);
    process.capabilities = { bounding: capabilities, effective: capabilities, permitted: capabilities };
    root.readonly = true;
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== "pid");
    linux.readonlyPaths = [];
    linux.maskedPaths = [];
    const bind = (source: string, destination: string, ...options: string[]) =>
      mounts.push({ destination, type: "bind", source, options: ["rbind", ...options] });
    bind(readOnly, "/ro", "ro");
    bind(readOnly, "/rro", "rro");
    bind(writable, "/rw");
    bind(join(readOnly, "file"), "/file", "ro");
  };
}

/** The number of a mount in config.json, which is its name in the share. */
function numberOf(bundle: string, destination: string): number {
  const { mounts } = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")) as Config;
  return mounts.findIndex((mount) => mount.destination === destination);
}

async function start(world: World, suffix: string, change: (config: Config) => void): Promise<string> {
  const { rig, flags } = world;
  const bundle = await rig.bundle({ args: ["sleep", "100000"], change });
  const { code, stderr } = await withFlags(rig, flags).runv(["run", "-d", "-b", bundle, rig.id(suffix)]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return bundle;
}

/** Runs a script in a container. @returns its output, by lines: what each attempt said */
async function inside({ rig: { runv, id } }: World, suffix: string, script: string): Promise<string[]> {
  const { stdout, stderr } = await runv(["exec", id(suffix), "sh", "-c", script]);
  expect(stderr).toBe("");
  return stdout.trimEnd().split("\n");
}

function stateOf({ root, id }: Rig, suffix: string) {
  return JSON.parse(readFileSync(join(root, id(suffix), "state.json"), "utf8"));
}

for (const flags of [
  ["--share", "9p"],
  ["--share", "fuse"],
  ["--share", "virtiofs"],
]) {
  describe(flags.join(" "), () => {
    runvTest(
      "a guest that was taken over, and a server that was, and a second container in their machine",
      async (rig) => {
        const world = worldOf(rig, flags);
        const bundle = await start(world, "one", attacker(world));
        const [one, two] = [rig.id("one"), rig.id("two")];
        const number = (destination: string) => numberOf(bundle, destination);
        const [ro, rro, rw, file] = ["/ro", "/rro", "/rw", "/file"].map(number) as [number, number, number, number];

        // The guest, by its first process's root.
        const attempt = (name: string, words: string) =>
          `(${words}) 2>/dev/null && echo ${name} done || echo ${name} no`;
        const said = await inside(
          world,
          "one",
          [
            attempt("container", `mkdir ${share}/${two}`),
            attempt("link", `ln -s ${world.canary} ${share}/${two}`),
            attempt("beside", `ln -s ${world.canary} ${share}/${one}/99`),
            attempt("move", `mv ${share}/${one} ${share}/gone`),
            attempt("point", `rmdir ${share}/${one}/${rw}`),
            `mount -o remount,rw ${share} 2>/dev/null`,
            attempt("remount", `mkdir ${share}/${two}`),
            ...[ro, rro].map((each) => attempt(`volume ${each}`, `echo x > ${share}/${one}/${each}/new`)),
            attempt("old", `echo x >> ${share}/${one}/${ro}/file`),
            attempt("file", `echo x >> ${share}/${one}/${file}`),
            attempt("root", `echo x > ${share}/${one}/rootfs/new`),
            "mount -o remount,rw,bind /ro 2>/dev/null",
            attempt("again", "echo x > /ro/new"),
            attempt("writable", `echo x > ${share}/${one}/${rw}/new`),
          ].join("\n"),
        );
        expect(said).toEqual([
          ...["container", "link", "beside", "move", "point", "remount"].map((name) => `${name} no`),
          ...[ro, rro].map((each) => `volume ${each} no`),
          ...["old", "file", "root", "again"].map((name) => `${name} no`),
          "writable done",
        ]);

        // Who serves its files.
        const { monitor, machine } = stateOf(rig, "one");
        const servers = [...withDescendants(monitor.pid, machine.pid)].flatMap((pid) => {
          const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
          return pid === monitor.pid || !mounts.includes(" - tmpfs share ") ? [] : [{ pid, mounts }];
        });
        expect(servers.length).toBeGreaterThanOrEqual(1);
        const { pid, mounts } = servers.at(-1)!;
        const top = /^\d+ \d+ \S+ \/ (\S+) (\S+) .*- tmpfs share /m.exec(mounts)!;
        expect(top[2]).toMatch(/^ro,/);
        const at = (path: string) => join(top[1]!, path);
        const calls: [string, ...(string | number)[]][] = [
          ["mkdirat", AT_FDCWD, at(two), 0o755],
          ["symlinkat", world.canary, AT_FDCWD, at(two)],
          ["symlinkat", world.canary, AT_FDCWD, at(`${one}/99`)],
          ["renameat2", AT_FDCWD, at(one), AT_FDCWD, at("gone"), 0],
          ["mount", "none", at(""), 0, MS_REMOUNT | MS_BIND, 0],
          ["umount2", at(`${one}/${rw}`), MNT_DETACH],
          ["unshare", CLONE_NEWNS],
          ["openat", AT_FDCWD, at(`${one}/${ro}/new`), O_WRONLY | O_CREAT, 0o644],
          ["openat", AT_FDCWD, at(`${one}/${file}`), O_WRONLY, 0],
          ["openat", AT_FDCWD, at(`${one}/rootfs/new`), O_WRONLY | O_CREAT, 0o644],
          ["openat", AT_FDCWD, at(`${one}/${rw}/newer`), O_WRONLY | O_CREAT, 0o644],
        ];
        const { stdout, stderr } = Bun.spawnSync([process.execPath, asServer, String(pid), JSON.stringify(calls)]);
        expect(stderr.toString()).toBe("");
        expect(JSON.parse(stdout.toString())).toEqual([
          ...Array(4).fill("EROFS"),
          ...Array(3).fill("EPERM"),
          ...Array(3).fill("EROFS"),
          "done",
        ]);

        // While the guest tries on, a second container joins its machine, with a file as a volume, and both go.
        await inside(
          world,
          "one",
          `(while :; do ln -s ${world.canary} ${share}/${two} || ln -s ${world.canary}/file ${share}/${two}/${file}; done) >/dev/null 2>&1 &`,
        );
        const { shim } = stateOf(rig, "one");
        await start(world, "two", (config) => {
          attacker(world)(config);
          config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "ipc");
          config.linux.namespaces.push({ type: "ipc", path: `/proc/${shim.pid}/ns/ipc` });
        });
        expect(stateOf(rig, "two").sandbox).toBe(stateOf(rig, "one").sandbox);
        expect(await inside(world, "two", "cat /file")).toEqual(["alive"]);
        for (const suffix of ["one", "two"]) {
          expect(await rig.runv(["delete", "--force", rig.id(suffix)])).toEqual({ code: 0, stdout: "", stderr: "" });
        }
        for (const place of [world.canary, world.readOnly]) {
          expect(readdirSync(place)).toEqual(["file"]);
          expect(readFileSync(join(place, "file"), "utf8")).toBe("alive\n");
        }
        expect(readdirSync(world.writable).sort()).toEqual(["file", "new", "newer"]);
      },
    );
  });
}

runvTest("a guest that writes to its console without end fills nothing on the host", async (rig) => {
  const world = worldOf(rig, []);
  await start(world, "loud", (config) => {
    attacker(world)(config);
    config.linux.resources = { devices: [{ allow: true, access: "rwm" }] };
  });
  const log = join(rig.root, ".sandboxes", stateOf(rig, "loud").sandbox, "console.log");
  const loud = rig.runv([
    "exec",
    rig.id("loud"),
    "sh",
    "-c",
    "yes loud and long | head -c 1100000 > /proc/1/root/dev/console",
  ]);
  const sizes: number[] = [];
  while ((await Promise.race([loud, Bun.sleep(100)])) === undefined) sizes.push(statSync(log).size);
  expect(await loud).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1 << 20);
  expect(readFileSync(log, "latin1")).toStartWith("[runv: the beginning was cut off]\nloud and long");
  expect(await rig.runv(["delete", "--force", rig.id("loud")])).toMatchObject({ code: 0, stderr: "" });
});

runvTest("a shim opens nothing of its image, and who enters its mount namespace finds it", async (rig) => {
  const world = worldOf(rig, []);
  await start(world, "shown", (config) => {
    attacker(world)(config);
    mkdirSync(join(config.root.path, "proc/self"), { recursive: true });
    Bun.spawnSync(["mkfifo", join(config.root.path, "proc/self/statm")]);
  });
  const { shim } = stateOf(rig, "shown");
  const own = `/proc/${shim.pid}/root`;
  expect(readdirSync(own)).toEqual(["proc"]);
  expect(readFileSync(`${own}/proc/self/statm`, "utf8")).toMatch(/^\d+ /);
  const within = ["nsenter", "-t", String(shim.pid), "-m", "sh", "-c"];
  expect(await output(...within, "cat /ro/file; echo x > /rw/shown; (echo x > /ro/x) 2>/dev/null || echo no")).toBe(
    "alive\nno\n",
  );
  expect(existsSync(join(world.writable, "shown"))).toBe(true);
  expect(await rig.runv(["delete", "--force", rig.id("shown")])).toMatchObject({ code: 0, stderr: "" });
});
