/** Mounts that are made in the guest, seen from inside. */
import { expect } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
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
