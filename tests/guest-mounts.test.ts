/** Mounts that are made in the guest, seen from inside. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "./support/rig";

runvTest("tmpfs: the mode and the content of what it hides; /dev read-only", async ({ runv, bundle, id }) => {
  let root = "";
  const path = await bundle({
    args: ["sh", "/probe"],
    change: (config) => {
      root = config.root.path;
      const dev = config.mounts.find(({ destination }) => destination === "/dev")!;
      dev.options = [...(dev.options ?? []), "ro"];
      config.mounts.push(
        { destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "nodev"] },
        { destination: "/plain", type: "tmpfs", source: "tmpfs", options: ["mode=0701"] },
        { destination: "/fresh", type: "tmpfs", source: "tmpfs" },
        { destination: "/kept", type: "tmpfs", source: "tmpfs", options: ["noexec"] },
      );
      config.root.readonly = false;
    },
  });
  mkdirSync(join(root, "data/a/b"), { recursive: true });
  mkdirSync(join(root, "data/.hidden"), { mode: 0o711 });
  mkdirSync(join(root, "kept"), { mode: 0o750 });
  for (let index = 0; index < 150; index++) writeFileSync(join(root, `data/a/file${index}`), `content ${index}\n`);
  writeFileSync(join(root, "data/a/b/big"), Buffer.alloc(3_000_000, "x"), { mode: 0o640 });
  symlinkSync("a/file7", join(root, "data/link"));
  writeFileSync(
    join(root, "probe"),
    `cd /data
find . | sort | md5sum; ls a | wc -l; cat link; wc -c <a/b/big; stat -c '%a %U' a/b/big .hidden . /plain /fresh /kept
echo changed >a/file7; grep -c ' /data tmpfs .*nodev' /proc/mounts
touch /dev/x 2>&1; test -c /dev/null && echo null
`,
  );
  const { stdout, stderr, code } = await runv(["run", "-b", path, id("tmpfs")]);
  const names = [".", "./.hidden", "./a", "./a/b", "./a/b/big", "./link"];
  for (let index = 0; index < 150; index++) names.push(`./a/file${index}`);
  const sum = new Bun.CryptoHasher("md5").update(`${names.sort().join("\n")}\n`).digest("hex");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(stdout.split("\n")).toEqual([
    `${sum}  -`,
    "151",
    "content 7",
    "3000000",
    "640 root",
    "711 root",
    "755 root",
    "701 root",
    "1777 root",
    "750 root",
    "1",
    "touch: /dev/x: Read-only file system",
    "null",
    "",
  ]);
});

runvTest("/proc and /sys, bound, are those of the machine's kernel", async ({ runv, bundle, id }) => {
  const path = await bundle({
    args: [
      "sh",
      "-c",
      "cmp /host/proc/version /proc/version && cat /host/sys/class/dmi/id/sys_vendor; ls /host/sys/fs/cgroup",
    ],
    change: (config) => {
      config.mounts.push(
        { destination: "/host/proc", source: "/proc", type: "bind", options: ["rbind", "ro"] },
        { destination: "/host/sys", source: "/sys", type: "bind", options: ["rbind", "ro"] },
      );
    },
  });
  const { stdout, stderr, code } = await runv(["run", "-b", path, id("kernel")]);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(stdout).toStartWith("QEMU\n");
  expect(stdout).toContain("cgroup.controllers\n");
});

runvTest(
  "what a link leads to that leads to nothing is made, inside the root",
  async ({ runv, bundle, id, directory }) => {
    const file = join(directory, "resolv.conf");
    writeFileSync(file, "nameserver 192.0.2.1\n");
    mkdirSync(join(directory, "volume"));
    writeFileSync(join(directory, "volume/file"), "of the volume\n");
    const links: Record<string, string> = {
      "etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf",
      dl: "/data/not/yet",
      chain: "links/one",
      "links/one": "../links/two/deep",
      "links/two": "/../../far/away",
      up: "../../../../outside",
      full: "full/x",
    };
    const bind = (source: string, destination: string) => ({ source, destination, options: ["bind"] });
    let root = "";
    const make = (mounts: object[]) =>
      bundle({
        args: [
          "sh",
          "-c",
          "cat /etc/resolv.conf /dl/file /dl/deep/er/file /chain/file /run/systemd/resolve/stub-resolv.conf; stat -f -c %T /up/tmp /outside/tmp; ls -l /up/node | cut -c1; ls -d /far/away/deep",
        ],
        change: (config) => {
          root = config.root.path;
          config.root.readonly = false;
          config.mounts.push(...(mounts as typeof config.mounts));
          config.linux.devices = [{ path: "/up/node", type: "c", major: 1, minor: 3 }];
          mkdirSync(join(root, "links"));
          rmSync(join(root, "etc/resolv.conf"), { force: true });
          for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
        },
      });
    const path = await make([
      bind(file, "/etc/resolv.conf"),
      bind(join(directory, "volume"), "/dl"),
      bind(join(directory, "volume"), "/dl/deep/er"),
      bind(join(directory, "volume"), "/chain"),
      { destination: "/up/tmp", type: "tmpfs", source: "tmpfs" },
    ]);
    mkdirSync(join(directory, "volume/deep/er"), { recursive: true });
    const volume = "of the volume\n";
    const name = "nameserver 192.0.2.1\n";
    expect(await runv(["run", "-b", path, id("dangling")])).toEqual({
      code: 0,
      stdout: `${name}${volume.repeat(3)}${name}tmpfs\ntmpfs\nc\n/far/away/deep\n`,
      stderr: "",
    });
    expect(existsSync(join(root, "outside"))).toBe(true);
    const loop = await make([{ destination: "/full", type: "tmpfs", source: "tmpfs" }]);
    const result = await runv(["run", "-b", loop, id("loop")]);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining("too many levels of symbolic links") });
  },
);
