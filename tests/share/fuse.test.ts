/** The share that a server of runv's own in QEMU hands to the guest: for clones of each kind, with what both sides write at once, and what a guest keeps of its root. */
import { expect } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { withFlags } from "../drivers/support/driver";
import { partsOf } from "../drivers/support/parts";
import type { Config } from "../support/bundle";
import { clean, type Rig, runvTest, templatesOf } from "../support/rig";
import { holders, parentOf, readyProcess } from "../support/template-process";
import { until } from "../support/until";

const flags = ["--share", "fuse", "--driver", "tcg"];

/** A directory of the host, and a change of a configuration that has it as /volume. */
function volumeOf({ directory }: Rig): { volume: string; withVolume(config: Config): void } {
  const volume = join(directory, "volume");
  mkdirSync(volume);
  const withVolume = ({ mounts }: Config) => {
    mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["rbind"] });
  };
  return { volume, withVolume };
}

runvTest("machines from files and forked ones write to one volume, and nothing is lost", async (rig) => {
  const { runv, id } = withFlags(rig, [...flags, "--template", templatesOf(rig)]);
  const { volume, withVolume } = volumeOf(rig);
  const bundle = await rig.bundle({ args: ["sleep", "100000"], change: withVolume });
  const start = async (suffix: string) => {
    expect(await runv(["run", "-d", "-b", bundle, id(suffix)])).toMatchObject({ code: 0, stderr: "" });
    return partsOf(rig, id(suffix)).machine!;
  };
  const first = await start("first");
  await readyProcess(rig);
  const second = await start("second");
  expect([first, second].map((pid) => holders(rig).includes(parentOf(parentOf(pid))))).toEqual([false, true]);
  const inside = (suffix: string, script: string) => runv(["exec", id(suffix), "sh", "-c", script]);
  // Each keeps the file open, and the host writes in between.
  const lines = "exec 3>>/volume/log; for i in 1 2 3 4 5 6 7 8; do echo $HOSTNAME line >&3; done";
  writeFileSync(join(volume, "log"), "host line\n");
  expect(await Promise.all([inside("first", lines), inside("second", lines)])).toMatchObject([
    { code: 0 },
    { code: 0 },
  ]);
  appendFileSync(join(volume, "log"), "host line\n");
  expect(readFileSync(join(volume, "log"), "utf8").match(/line\n/g)).toHaveLength(18);
  expect((await inside("first", "wc -l </volume/log")).stdout).toBe("18\n");
  expect((await inside("second", "tail -n 1 /volume/log")).stdout).toBe("host line\n");
  writeFileSync(join(volume, "log"), "anew\n");
  expect((await inside("first", "cat /volume/log")).stdout).toBe("anew\n");
  // What was written is on the host, however QEMU ends.
  expect((await inside("second", "dd if=/dev/zero of=/volume/zeros bs=1M count=4 2>&-")).code).toBe(0);
  process.kill(second, "SIGKILL");
  expect(statSync(join(volume, "zeros")).size).toBe(4 << 20);
  await clean(rig);
});

runvTest("a machine whose memory would be too large a file is refused by name, and leaves nothing", async (rig) => {
  const bundle = await rig.bundle({ args: ["true"] });
  const through = ["bash", "-c", 'ulimit -f 65536; exec "$@"', "run"];
  const { code, stderr } = await rig.runv([...flags, "--no-template", "run", "-b", bundle, rig.id("large")], {
    through,
  });
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/files may have \d+ bytes at most \(RLIMIT_FSIZE\).*ulimit -f/s),
  ]);
});

runvTest("a machine grows, and its new memory is good for files", async (rig) => {
  const { runv, id } = withFlags(rig, flags);
  const { volume, withVolume } = volumeOf(rig);
  const bundle = await rig.bundle({
    args: ["sleep", "100000"],
    change: (config) => {
      withVolume(config);
      config.linux.resources = { memory: { limit: 64 << 20 } };
    },
  });
  expect(await runv(["run", "-d", "-b", bundle, id("grown")])).toMatchObject({ code: 0, stderr: "" });
  expect(await runv(["update", "--memory", String(320 << 20), id("grown")])).toMatchObject({ code: 0, stderr: "" });
  // More than the machine began with.
  const script = "dd if=/dev/urandom of=/volume/file bs=1M count=200 2>&-; sha256sum </volume/file";
  const { code, stdout } = await runv(["exec", id("grown"), "sh", "-c", script]);
  expect(code).toBe(0);
  const sum = new Bun.CryptoHasher("sha256").update(readFileSync(join(volume, "file"))).digest("hex");
  expect(stdout).toBe(`${sum}  -\n`);
  expect((await runv(["delete", "--force", id("grown")])).code).toBe(0);
});

runvTest("a guest keeps its root, and is told what the host and other machines change of it", async (rig) => {
  const { runv, id } = withFlags(rig, flags);
  const writable = (config: Config) => {
    config.root.readonly = false;
  };
  const bundle = await rig.bundle({ args: ["sleep", "100000"], change: writable });
  const root = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")).root.path as string;
  const at = (name: string) => join(root, name);
  writeFileSync(at("file"), "old\n");
  writeFileSync(at("open"), "old\n");
  mkdirSync(at("directory"));
  writeFileSync(at("directory/inner"), "inner\n");
  for (const suffix of ["one", "two"])
    expect(await runv(["run", "-d", "-b", bundle, id(suffix)])).toMatchObject({ code: 0, stderr: "" });
  const inside = async (script: string, suffix = "one") => {
    const { stdout, stderr } = await runv(["exec", id(suffix), "sh", "-c", `{ ${script}; } 2>&1`]);
    expect(stderr).toBe("");
    return stdout;
  };
  const see = async (script: string, wanted: string) => {
    let seen = "";
    const isSeen = async () => {
      seen = await inside(script);
      return seen === wanted;
    };
    await until(script, isSeen).catch(() => expect([script, seen]).toEqual([script, wanted]));
  };
  const missing = (name: string) => `ls: ${name}: No such file or directory\n`;

  // Who has a file open sees what is appended to it.
  const reader = runv(["exec", id("one"), "sh", "-c", "exec 3</open; cat <&3; until grep new <&3; do :; done"]);
  expect(await inside("cat /file; ls /directory; ls /none /directory/none; ls -l /file")).toContain("-rw-r--r--");
  writeFileSync(at("file"), "new\n");
  await see("cat /file", "new\n");
  writeFileSync(at("none"), "made\n");
  await see("cat /none", "made\n");
  writeFileSync(at("directory/none"), "");
  await see("ls /directory", "inner\nnone\n");
  renameSync(at("none"), at("file"));
  await see("ls /none", missing("/none"));
  await see("cat /file", "made\n");
  chmodSync(at("file"), 0o600);
  await see("stat -c %a /file", "600\n");
  rmSync(at("directory"), { recursive: true });
  await see("ls /directory", missing("/directory"));
  symlinkSync("file", at("directory"));
  await see("cat /directory", "made\n");
  appendFileSync(at("open"), "new\n");
  expect((await reader).stdout).toBe("old\nnew\n");

  // The other machine is as much a stranger.
  expect(await inside("mkdir /made; echo two >/made/name; echo two >>/file; ln /file /made/second", "two")).toBe("");
  await see("cat /made/name /file", "two\nmade\ntwo\n");
  expect(await inside("echo three >>/made/second; mv /made/name /made/other", "two")).toBe("");
  await see("cat /file; ls /made", "made\ntwo\nthree\nother\nsecond\n");
  expect(await inside("rm -r /made", "two")).toBe("");
  await see("ls /made", missing("/made"));
  // What it does itself it sees at once.
  expect(await inside("echo a >/a; cat /a; mv /a /b; ls /a; echo c >>/b; cat /b; rm /b; ls /b")).toBe(
    `a\n${missing("/a")}a\nc\n${missing("/b")}`,
  );
  for (const suffix of ["one", "two"]) expect((await runv(["delete", "--force", id(suffix)])).code).toBe(0);
});
