/** What a bind mount has of the options of its source's mount on the host: as with runc 1.5 (its tests/integration/mounts_sshfs.bats says why). */
import { expect } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./support/bundle";
import { runvTest } from "./support/rig";

const host = "ro,nosuid,nodev,noexec";

/** The options of a bind mount, and what its mount has of the host's then, without and with a user namespace; undefined: it is refused. */
const cases: [options: string[], plain: string, user: string | undefined][] = [
  [["bind"], "ro nosuid nodev noexec", "ro nosuid nodev noexec"],
  [["rbind", "rprivate"], "ro nosuid nodev noexec", "ro nosuid nodev noexec"],
  [["bind", "ro"], "ro", "ro nosuid nodev noexec"],
  [["bind", "nosuid"], "ro nosuid", "ro nosuid nodev noexec"],
  [["bind", "rw"], "", undefined],
  [["bind", "exec"], "ro", undefined],
];

const userNamespace = ({ linux }: Config) => {
  linux.namespaces.push({ type: "user" });
  const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  Object.assign(linux, { uidMappings: mappings, gidMappings: mappings });
};

runvTest("a bind mount has what its source's mount has on the host, and the root what its own has", async (rig) => {
  const source = join(rig.directory, "source");
  mkdirSync(source);
  const look =
    "while read _ place _ options _; do case $place in / | /mnt/*) echo $place $options ;; esac; done </proc/mounts";
  const run = async (name: string, change: (config: Config) => void, root = "") => {
    const bundle = await rig.bundle({ args: ["sh", "-c", look], change });
    const mount = `mount -t tmpfs none ${source}; mount -o remount,bind,${host} ${source}`;
    const { path } = (JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")) as Config).root;
    const rootfs = root === "" ? "" : `mount --bind ${path} ${path}; mount -o remount,bind,${root} ${path};`;
    const through = ["unshare", "-m", "bash", "-ec", `${mount}; ${rootfs} exec "$@"`, "run"];
    return await rig.runv(["run", "-b", bundle, rig.id(name)], { through });
  };
  const held = (stdout: string, place: string) =>
    new RegExp(`^${place} (.*)$`, "m")
      .exec(stdout)?.[1]
      ?.split(",")
      .filter((option) => host.split(",").includes(option))
      .join(" ");
  const binds =
    (chosen: typeof cases) =>
    ({ mounts, root }: Config) => {
      for (const [index, [options]] of chosen.entries()) {
        // Whom a user namespace makes root cannot make it.
        mkdirSync(join(root.path, `mnt/${index}`), { recursive: true });
        mounts.push({ destination: `/mnt/${index}`, type: "bind", source, options });
      }
    };

  const plain = await run("plain", binds(cases), "nosuid,nodev");
  expect(plain).toMatchObject({ code: 0, stderr: "" });
  expect(cases.map((_, index) => held(plain.stdout, `/mnt/${index}`))).toEqual(cases.map(([, expected]) => expected));
  expect(held(plain.stdout, "/")).toBe("ro nosuid nodev");

  const allowed = cases.filter(([, , user]) => user !== undefined);
  const user = await run("user", (config) => {
    userNamespace(config);
    binds(allowed)(config);
  });
  expect(user).toMatchObject({ code: 0, stderr: "" });
  expect(allowed.map((_, index) => held(user.stdout, `/mnt/${index}`))).toEqual(
    allowed.map(([, , expected]) => expected!),
  );

  const refused = await run("refused", (config) => {
    userNamespace(config);
    binds(cases.slice(-1))(config);
  });
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain(
    "a mount in a user namespace has what its source's has: noexec (operation not permitted)",
  );
});
