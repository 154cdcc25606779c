/** The share that a server of runv's own in QEMU hands to the guest: for clones of each kind, with what both sides write at once. */
import { expect } from "bun:test";
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withFlags } from "../drivers/support/driver";
import { partsOf } from "../drivers/support/parts";
import type { Config } from "../support/bundle";
import { clean, type Rig, runvTest, templatesOf } from "../support/rig";
import { holders, parentOf, readyProcess } from "../support/template-process";

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
