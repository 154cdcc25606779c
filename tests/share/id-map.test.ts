/** Id-mapped mounts: what owners a container sees of a volume's files, and what owners its own files have on disk. */
import { expect } from "bun:test";
import { chownSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../support/command";
import { hostTest, type Rig, runvTest } from "../support/rig";

/** A volume on a file system that can be id-mapped, with another mounted in it, gone afterwards. */
async function withVolume(rig: Rig, body: (volume: string) => Promise<void>): Promise<void> {
  const volume = join(rig.directory, "volume");
  mkdirSync(volume);
  await command("mount", "-t", "tmpfs", "none", volume);
  mkdirSync(join(volume, "below"));
  await command("mount", "-t", "tmpfs", "none", join(volume, "below"));
  try {
    for (const name of ["file", "below/file"]) {
      writeFileSync(join(volume, name), "");
      chownSync(join(volume, name), 1001, 1002);
    }
    await body(volume);
  } finally {
    await command("umount", join(volume, "below"));
    await command("umount", volume);
  }
}

const ownersOf = (path: string) => [lstatSync(path).uid, lstatSync(path).gid];

for (const [test, how, flags] of [
  [runvTest, "9p", ["--share", "9p"]],
  [runvTest, "fuse", ["--share", "fuse"]],
  [runvTest, "virtiofs", ["--share", "virtiofs"]],
  [hostTest, "without a machine", []],
] as const) {
  test(`by a mount's own mappings, of its root and of all in it: ${how}`, async (rig) => {
    await withVolume(rig, async (volume) => {
      const script = `
        stat -c '%n %u %g' /one/file /one/below/file /all/below/file /plain/file
        echo new > /one/new; mkdir /one/dir; ln -s x /one/link
      `;
      const bundle = await rig.bundle({
        args: ["sh", "-c", script],
        change: ({ process, mounts }) => {
          process.user = { uid: 5000, gid: 6000 };
          const map = (containerID: number, hostID: number) => [{ containerID, hostID, size: 10 }];
          const mapped = { type: "bind", source: volume, uidMappings: map(1000, 5000), gidMappings: map(1000, 6000) };
          mounts.push(
            { destination: "/one", ...mapped, options: ["rbind"] } as (typeof mounts)[number],
            { destination: "/all", ...mapped, options: ["rbind", "ridmap"] } as (typeof mounts)[number],
            { destination: "/plain", type: "bind", source: volume, options: ["rbind"] },
          );
        },
      });
      const { runv, id } = rig;
      chownSync(volume, 1000, 1000);
      expect(await runv([...flags, "run", "-b", bundle, id("own")])).toEqual({
        code: 0,
        stdout: "/one/file 5001 6002\n/one/below/file 1001 1002\n/all/below/file 5001 6002\n/plain/file 1001 1002\n",
        stderr: "",
      });
      expect(["new", "dir", "link"].map((name) => ownersOf(join(volume, name)))).toEqual([
        [1000, 1000],
        [1000, 1000],
        [1000, 1000],
      ]);
    });
  });
}

runvTest(
  "by the mappings of another container's user namespace that is joined, and by whom it is joined in turn",
  async (rig) => {
    await withVolume(rig, async (volume) => {
      const { runv, id } = rig;
      const make = (args: string[], user: { path: string } | undefined) =>
        rig.bundle({
          args,
          change: ({ linux, mounts, root }) => {
            chownSync(root.path, 100_000, 100_000);
            linux.namespaces.push({ type: "user", ...user });
            const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
            if (user === undefined) Object.assign(linux, { uidMappings: mappings, gidMappings: mappings });
            mounts.push({ destination: "/v", type: "bind", source: volume, options: ["rbind", "idmap"] });
          },
        });
      let joined: { path: string } | undefined;
      for (const name of ["first", "second"]) {
        const bundle = await make(["sleep", "1000"], joined);
        expect(await runv(["run", "-d", "-b", bundle, id(name)])).toMatchObject({ code: 0, stderr: "" });
        joined = { path: `/proc/${JSON.parse((await runv(["state", id(name)])).stdout).pid}/ns/user` };
      }
      const third = await make(["stat", "-c", "%u %g", "/v/file", "/v/below/file"], joined);
      expect(await runv(["run", "-b", third, id("third")])).toEqual({
        code: 0,
        stdout: "1001 1002\n65534 65534\n",
        stderr: "",
      });
      for (const name of ["second", "first"]) expect((await runv(["delete", "--force", id(name)])).code).toBe(0);
    });
  },
);

for (const [test, how] of [
  [runvTest, "in a machine"],
  [hostTest, "without one"],
] as const) {
  test(`by the mappings of the container's user namespace, ${how}: what is root's on disk is its root's`, async (rig) => {
    await withVolume(rig, async (volume) => {
      const bundle = await rig.bundle({
        args: ["sh", "-c", "stat -c '%u %g' /v /v/file; echo new > /v/new; stat -c '%u %g' /v/new /plain"],
        change: ({ linux, mounts, root }) => {
          chownSync(root.path, 100_000, 100_000);
          linux.namespaces.push({ type: "user" });
          const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
          Object.assign(linux, { uidMappings: mappings, gidMappings: mappings });
          mounts.push(
            { destination: "/v", type: "bind", source: volume, options: ["bind", "idmap"] },
            // Not "bind": in a user namespace of this host what is mounted below cannot be left out.
            { destination: "/plain", type: "bind", source: volume, options: ["rbind"] },
          );
        },
      });
      const { code, stdout, stderr } = await rig.runv(["run", "-b", bundle, rig.id("user")]);
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "0 0\n1001 1002\n0 0\n65534 65534\n", stderr: "" });
      expect(ownersOf(join(volume, "new"))).toEqual([0, 0]);
    });
  });
}
