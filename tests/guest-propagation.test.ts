/** Propagation, attributes and masks of mounts, as the container's /proc/self/mountinfo has them. */
import { expect } from "bun:test";
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "./support/rig";

runvTest("options, propagation, masks", async ({ runv, bundle, id, directory }) => {
  const host = mkdtempSync(join(directory, "source-"));
  mkdirSync(join(host, "sub"));
  const path = await bundle({
    args: ["cat", "/proc/self/mountinfo"],
    change: (config) => {
      config.linux.rootfsPropagation = "shared";
      config.linux.namespaces.push({ type: "cgroup" });
      config.linux.maskedPaths = ["/proc/kallsyms", "/sys/kernel", "/nothing/here"];
      config.linux.readonlyPaths = ["/proc/sys", "/nothing/there"];
      config.mounts.push(
        {
          destination: "/a",
          source: host,
          type: "bind",
          options: ["rbind", "ro", "nosuid", "nodev", "noexec", "rslave"],
        },
        { destination: "/b", source: host, type: "bind", options: ["bind", "rro", "noatime", "private"] },
        {
          destination: "/c",
          source: "tmpfs",
          type: "tmpfs",
          options: ["shared", "size=1m", "nodiratime", "strictatime"],
        },
        { destination: "/d", source: "tmpfs", type: "tmpfs", options: ["unbindable", "nosymfollow", "sync"] },
        { destination: "/sys/fs/cgroup/../cgroup", source: "cgroup", type: "cgroup2", options: ["ro"] },
      );
    },
  });
  const { stdout, stderr, code } = await runv(["run", "-b", path, id("mounts")]);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  const mounts = new Map(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .map((words) => [words[4], `${words[5]} ${words.slice(6, words.indexOf("-")).join(" ").replace(/\d+/g, "N")}`]),
  );
  const pick = (target: string) => mounts.get(target)?.trim();
  expect(pick("/")).toMatch(/ shared:N$/);
  expect(pick("/a")).toMatch(/^ro,nosuid,nodev,noexec,relatime/);
  expect(pick("/b")).toBe("ro,noatime");
  expect(pick("/c")).toBe("rw,nodiratime shared:N");
  expect(pick("/d")).toBe("rw,relatime,nosymfollow unbindable");
  expect(pick("/proc/sys")).toMatch(/^ro,/);
  expect(pick("/proc/kallsyms")).toBeDefined();
  expect(pick("/sys/kernel")).toMatch(/^ro,/);
  expect(pick("/sys/fs/cgroup")).toMatch(/^ro,/);
  expect(stdout).toMatch(/ \/d .* - tmpfs tmpfs rw,sync/);
});
