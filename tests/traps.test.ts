/**
 * Root file systems that are full of traps: whatever a mount's target, a device, a mask, the working directory or /etc/passwd is led to by
 * links of the image, nothing of the host is touched, and what is done is done below the container's root.
 */
import { describe, expect } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { command } from "./support/command";
import { makeLab } from "./support/lab";
import type { Rig } from "./support/rig";
import { sharedRig } from "./support/shared";

describe.each([
  ["in a machine", false],
  ["on the host", true],
] as const)("%s", (_, withoutMachine) => {
  let removeLab: () => Promise<void>;
  let network: string;

  /** All containers share a machine. */
  const shared = sharedRig(
    async (rig) => {
      const lab = await makeLab(rig.name);
      removeLab = lab.remove;
      network = (await lab.station()).path;
      mkdirSync(join(rig.directory, "canary/etc"), { recursive: true });
      writeFileSync(join(rig.directory, "canary/file"), "alive\n");
      writeFileSync(join(rig.directory, "canary/etc/file"), "alive\n");
      writeFileSync(join(rig.directory, "source"), "mounted\n");
      const bundle = await rig.bundle({ args: ["sleep", "100000"], change: (config) => joinNetwork(config.linux) });
      expect(await rig.runv(["run", "-d", "-b", bundle, rig.id("machine")])).toMatchObject({ code: 0, stderr: "" });
    },
    () => removeLab(),
    { withoutMachine },
  );

  function joinNetwork(linux: { namespaces: { type: string; path?: string }[] }): void {
    for (const namespace of linux.namespaces) if (namespace.type === "network") namespace.path = network;
  }

  /** Where a link of the image may lead; what `canary` is only the test knows. */
  const targets: Record<string, (canary: string) => string> = {
    "the root": () => "/",
    "the directory above": () => "..",
    "as far up as can be": () => "../../../../../../../../../..",
    "a directory of the host": (canary) => canary,
    "a directory of the host, from as far up as can be": (canary) => `../../../../../../..${canary}`,
    "a directory of the host by way of a process": (canary) => `/proc/self/root${canary}`,
    "its own root": () => "/proc/self/root",
    "the root of the first process": () => "/proc/1/root",
    "its own directory": () => "/proc/self/cwd",
    "a descriptor": () => "/proc/self/fd/3",
    "another descriptor": () => "/dev/fd/7",
    itself: () => "trap",
  };

  /** All paths below a directory, with what is there. */
  function snapshot(directory: string): string[] {
    return readdirSync(directory, { recursive: true, encoding: "utf8" })
      .map((name) => join(directory, name))
      .map((path) => {
        const { mode, size, mtimeMs } = lstatSync(path);
        return `${path} ${mode.toString(8)} ${size} ${mtimeMs}`;
      })
      .sort();
  }

  /** Directories of the host in which something of this name would show that a trap has worked. */
  function around(rig: Rig, rootfs: string, name: string): string[] {
    const above: string[] = ["/", process.cwd(), join(rig.directory, "canary"), join(rig.root, ".sandboxes")];
    for (let path = dirname(rootfs); path !== "/"; path = dirname(path)) above.push(path);
    return above.map((path) => join(path, name)).filter((path) => existsSync(path));
  }

  for (const [name, targetOf] of Object.entries(targets)) {
    shared(`a link to ${name}, on the way of everything`, async (rig) => {
      const canary = join(rig.directory, "canary");
      const before = snapshot(canary);
      const made = `made-${rig.name}`;
      let rootfs = "";
      const bundle = await rig.bundle({
        args: ["sh", "-c", `cat /trap/${made}/file; ls -d /trap/${made}/* /trap/${made}-node`],
        change: ({ root, mounts, linux, process: own }) => {
          joinNetwork(linux);
          root.readonly = false;
          rootfs = root.path;
          symlinkSync(targetOf(canary), join(rootfs, "trap"));
          mkdirSync(join(rootfs, canary), { recursive: true });
          own.cwd = `/trap/${made}/cwd`;
          const source = join(rig.directory, "source");
          mounts.push(
            { destination: `/trap/${made}/tmpfs`, type: "tmpfs", source: "tmpfs" },
            { destination: `/trap/${made}/file`, type: "bind", source, options: ["bind", "ro"] },
            { destination: `/trap/${made}/directory`, type: "bind", source: dirname(source), options: ["bind", "ro"] },
            { destination: `/trap/${made}/copied`, type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] },
            { destination: `/trap/${made}/queue`, type: "mqueue", source: "mqueue" },
          );
          linux.devices = [{ path: `/trap/${made}-node`, type: "c", major: 1, minor: 3 }];
          linux.maskedPaths = ["/trap/file", "/trap/etc", `/trap${canary}/file`];
          linux.readonlyPaths = ["/trap/etc", `/trap${canary}`];
        },
      });
      const { code, stdout, stderr } = await rig.runv(["run", "-b", bundle, rig.id("trap")]);
      if (code === 0) {
        expect(stdout).toStartWith("mounted\n");
        for (const kind of ["copied", "cwd", "directory", "file", "queue", "tmpfs"])
          expect(stdout).toContain(`/${made}/${kind}\n`);
      } else {
        // A way that leads nowhere is an error that names it.
        expect(stderr).toMatch(/trap.*code=(GUEST_CALL_FAILED|MOUNT_\w+)/);
      }
      expect(snapshot(canary)).toEqual(before);
      for (const left of [made, `${made}-node`]) expect(around(rig, rootfs, left)).toEqual([]);
    });
  }

  /** What the image may have for its users, instead of a file. */
  const passwords: Record<string, (path: string, rig: Rig) => Promise<void> | void> = {
    "a link to the host's": (path, { directory }) => {
      writeFileSync(join(directory, "passwd"), "root:x:0:0:root:/of-the-host:/bin/sh\n");
      symlinkSync(`../../../../../../../..${directory}/passwd`, path);
    },
    "a link to a process's": (path, { directory }) => symlinkSync(`/proc/self/root${directory}/passwd`, path),
    "a directory": (path) => void mkdirSync(path),
    "a FIFO": (path) => command("mkfifo", path),
    "a device without end": (path) => command("mknod", path, "c", "1", "5"),
  };

  for (const [name, make] of Object.entries(passwords)) {
    shared(`/etc/passwd is ${name}`, async (rig) => {
      const bundle = await rig.bundle({ args: ["sh", "-c", "echo $HOME"], change: ({ linux }) => joinNetwork(linux) });
      const path = join(JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")).root.path, "etc/passwd");
      rmSync(path);
      await make(path, rig);
      expect(await rig.runv(["run", "-b", bundle, rig.id("home")])).toEqual({ code: 0, stdout: "/\n", stderr: "" });
    });
  }
});
