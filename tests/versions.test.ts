/**
 * Each guest kernel at hand with the QEMU at hand, emulated: it boots, is cloned from files, forked, ten at once, given processors and memory,
 * paused and resumed. Other QEMUs are in other worlds (tests/worlds), other kernels in RUNV_TEST_IMAGES: docs/versions.md.
 */
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { identifyQemu } from "../src/hypervisor/qemu/binary";
import { formatVersion } from "../src/hypervisor/qemu/version";
import { processFiles } from "../src/sandbox/template/template-process";
import { withFlags } from "./drivers/support/driver";
import { partsOf, statusOf } from "./drivers/support/parts";
import { kernelsAtHand } from "./support/kernels";
import { clean, runvTest, templatesOf } from "./support/rig";
import { holders, parentOf, readyProcess, templates } from "./support/template-process";

/** What docs/versions.md says was tried. */
const wanted = { qemu: ["7.2.", "10.0.", "11.1."], kernel: ["6.1.", "6.12.", "7.2."] };
const done = { code: 0, stdout: "", stderr: "" };

const qemu = formatVersion((await identifyQemu()).version);
const kernels = kernelsAtHand();
for (const version of wanted.qemu) {
  if (!qemu.startsWith(version))
    process.stderr.write(`QEMU ${version}x is not tried: this machine has ${qemu}; tests/worlds has others\n`);
}
for (const version of wanted.kernel) {
  if (!kernels.some(({ release }) => release.startsWith(version)))
    process.stderr.write(`Linux ${version}x is not tried: no image of it is at hand (RUNV_TEST_IMAGES)\n`);
}

for (const { release, flags } of kernels) {
  runvTest(`QEMU ${qemu}, Linux ${release}`, async (plain) => {
    const rig = withFlags(plain, [
      ...["--driver", "tcg", "--template", templatesOf(plain)],
      ...flags(join(plain.directory, "image")),
    ]);
    const { runv, id } = rig;
    const sleeps = await rig.bundle({ args: ["sleep", "100000"] });
    const config = join(rig.directory, "config.toml");
    writeFileSync(config, "template_idle = 0\n");
    const start = async (name: string, words: string[] = [], env: Record<string, string> = {}) => {
      const result = await runv([...words, "run", "-d", "-b", sleeps, id(name)], { stdout: "/dev/null", env });
      expect(result).toMatchObject({ code: 0, stderr: "" });
      return partsOf(rig, id(name)).machine!;
    };
    const ask = async (name: string, ...words: string[]) => (await runv(["exec", id(name), ...words])).stdout.trim();
    const remove = async (name: string) => expect(await runv(["delete", "--force", id(name)])).toEqual(done);
    const words = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");

    // It boots.
    expect(words(await start("booted", ["--no-template"]))).toContain("-kernel");
    expect(await ask("booted", "uname", "-r")).toBe(release);
    await remove("booted");

    // It is cloned from files. The first makes them.
    const withoutProcess = { RUNV_CONFIG: config };
    for (const name of ["first", "cloned"]) {
      expect(words(await start(name, [], withoutProcess))).toContain("-incoming");
      await remove(name);
    }
    expect(templates(rig)).toHaveLength(1);

    // It is forked.
    await start("starts");
    await remove("starts");
    await readyProcess(rig);
    expect(holders(rig)).toContain(parentOf(parentOf(await start("forked"))));

    // Its kernel does nothing that nobody asked for.
    const look =
      "mount -t debugfs debugfs /root; cat /root/sched/features; cat /sys/module/damon_stat/parameters/enabled";
    const choices = (await runv(["exec", "--cap", "CAP_SYS_ADMIN", id("forked"), "sh", "-c", look])).stdout.split(/\s/);
    expect(choices).toContain("NO_HRTICK");
    expect(choices).not.toContain("Y");

    // Processors and memory.
    const memory = async () => Number(/MemTotal: +(\d+)/.exec(await ask("forked", "cat", "/proc/meminfo"))?.[1]);
    const before = await memory();
    expect(await ask("forked", "nproc")).toBe("1");
    const more = `${Math.ceil(before / 1024) + 300}M`;
    expect(await runv(["update", "--memory", more, "--cpu-quota", "200000", id("forked")])).toEqual(done);
    expect(await memory()).toBeGreaterThan(before + (200 << 10));
    expect(await ask("forked", "nproc")).toBe(String(Math.min(2, availableParallelism())));

    // It is paused and resumed.
    expect(await runv(["pause", id("forked")])).toEqual(done);
    expect(await statusOf(rig, id("forked"))).toBe("paused");
    expect(await runv(["resume", id("forked")])).toEqual(done);
    expect(await ask("forked", "echo", "goes on")).toBe("goes on");
    await remove("forked");

    // Ten at once.
    const numbers = Array.from({ length: 10 }, (_, index) => String(index));
    const bundles = await Promise.all(numbers.map((number) => rig.bundle({ args: ["echo", number] })));
    const ran = await Promise.all(numbers.map((number, index) => runv(["run", "-b", bundles[index]!, id(number)])));
    expect(ran).toEqual(numbers.map((number) => ({ ...done, stdout: `${number}\n` })));
    // Each was forked: the process would have been dismissed otherwise.
    expect(JSON.parse(readFileSync(processFiles(templates(rig)[0]!).record, "utf8")).notes).toBeDefined();
    await clean(rig);
  });
}
