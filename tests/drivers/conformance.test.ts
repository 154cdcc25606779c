/**
 * What every driver must do, by the same tests on each: RUNV_TEST_DRIVERS=kvm,xen chooses. What a driver does not declare must be refused
 * with a word that names it. A container that stays carries most of the tests, for a machine may take seconds to boot.
 */
import { describe, expect } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drivers } from "../../src/hypervisor";
import { identityOf } from "../../src/linux/identity";
import type { Config } from "../support/bundle";
import { ConsoleSocket } from "../support/console-socket";
import { fileIn, makeImage, onDisk } from "../support/disk-image";
import { inNamespace, type Lab, makeLab, type Station } from "../support/lab";
import type { Rig } from "../support/rig";
import { sharedRig } from "../support/shared";
import { until } from "../support/until";
import { driversUnderTest, type Prepared, withFlags } from "./support/driver";
import { partsOf, statusOf } from "./support/parts";

const done = { code: 0, stdout: "", stderr: "" };
/** For what takes a whole machine. */
const patience = 60_000;
/** What goes through a container: RUNV_TEST_STREAM_MIB, for where a channel is slow and emulated too. */
const streamMiB = Number(process.env.RUNV_TEST_STREAM_MIB ?? 16);

for (const driver of driversUnderTest()) {
  const capabilities = drivers({ arch: process.env.RUNV_TEST_ARCH }).find(
    ({ name }) => name === driver.name,
  )?.capabilities;
  let prepared: Prepared | undefined;
  let lab: Lab;
  let station: Station;
  let other: Station;

  describe(`driver ${driver.name}`, () => {
    const flags = () => ["--driver", driver.name, ...(prepared?.flags ?? [])];
    const test = sharedRig(
      async (rig) => {
        prepared = await driver.prepare?.(rig.directory);
        lab = await makeLab(rig.name);
        station = await lab.station();
        await lab.plug(station, "eth0", 11);
        other = await lab.station();
        await lab.plug(other, "eth0", 13);
        await startMain(withFlags(rig, flags()), station);
      },
      async () => {
        await lab.remove();
        await prepared?.undo();
      },
    );
    const runvTest = (name: string, body: (rig: Rig) => Promise<void>) =>
      test(name, (rig) => body(withFlags(rig, flags())));

    runvTest("a command's output and its exit code are passed on", async ({ runv, id }) => {
      for (const code of [0, 7, 255]) {
        const result = await runv(["exec", id("main"), "sh", "-c", `echo out; echo err >&2; exit ${code}`]);
        expect(result).toEqual({ code, stdout: "out\n", stderr: "err\n" });
      }
      expect((await runv(["exec", id("main"), "sh", "-c", "kill -TERM $$"])).code).toBe(143);
      const missing = await runv(["exec", id("main"), "/no/such/program"]);
      expect([missing.code, missing.stderr]).toEqual([255, expect.stringContaining("no such file or directory")]);
    });

    runvTest(`${streamMiB} MiB through stdin and back through stdout are what they were`, async ({ runv, id }) => {
      const input = randomBytes(streamMiB * 2 ** 20);
      const stdout = join(mkdtempSync("/tmp/runv-output-"), "stdout");
      try {
        const { code, stderr } = await runv(["exec", id("main"), "cat"], { input, stdout });
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(sumOf(readFileSync(stdout))).toBe(sumOf(input));
      } finally {
        rmSync(join(stdout, ".."), { recursive: true });
      }
    });

    runvTest("a terminal has a size, is resized, and interrupts", async (rig) => {
      const { runv, id, directory } = rig;
      const socket = new ConsoleSocket(join(directory, "console.sock"));
      const words = ["exec", "--tty", "--detach", "--console-socket", socket.path, id("main"), "sh"];
      expect(await runv(words)).toEqual(done);
      const terminal = socket.receive();
      terminal.resize(50, 132);
      await until("the window's size", async () => (await terminal.ask("stty size", /\n(\d+ \d+)\r/))[1] === "50 132");
      await terminal.ask(`sh -c 'echo st""arted; exec sleep 1000'`, /\nstarted\r/);
      terminal.write("\x03");
      await terminal.ask("echo code $?", /code 130\r/);
      terminal.write("exit\n");
      await terminal.end();
      socket.close();
      rmSync(socket.path);
    });

    runvTest("ps shows the processes of the container", async ({ runv, id }) => {
      const { code, stdout } = await runv(["ps", id("main")]);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^UID +PID.*\n.*sleep 100000\n/)]);
    });

    runvTest("nothing runs while it is paused", async (rig) => {
      const { runv, spawn, id } = rig;
      const clock = "i=0; while :; do i=$((i+1)); echo $i > /volume/clock; done";
      const exec = spawn(["exec", id("main"), "sh", "-c", clock]);
      const ticks = () => readFileSync(join(rig.directory, "volume/clock"), "utf8");
      await until("the clock ticks", () => attempt(ticks)?.endsWith("\n"), patience);
      expect(await runv(["pause", id("main")])).toEqual(done);
      expect(await statusOf(rig, id("main"))).toBe("paused");
      const then = ticks();
      expect((await runv(["exec", id("main"), "true"])).stderr).toContain("cannot exec in a paused container");
      expect(ticks()).toBe(then);
      expect(await runv(["resume", id("main")])).toEqual(done);
      await until("the clock ticks again", () => ticks() !== then, patience);
      exec.kill("SIGTERM");
      expect(await exec.exited).toBe(143);
    });

    runvTest("mounts are those of config.json", async ({ runv, id }) => {
      const { stdout } = await runv(["exec", id("main"), "cat", "/proc/mounts"]);
      expect(stdout).toMatch(/^proc \/proc proc /m);
      expect(stdout).toMatch(/^tmpfs \/scratch tmpfs rw,nosuid,noexec,.*size=1024k/m);
      expect(stdout).toMatch(/ \/read-only \S+ ro,/);
      const script = "echo x > /scratch/x && cat /scratch/x; echo x > /read-only/x";
      const { stdout: written, stderr } = await runv(["exec", id("main"), "sh", "-c", script]);
      expect([written, stderr]).toEqual(["x\n", expect.stringContaining("Read-only file system")]);
    });

    runvTest("a volume is the host's directory, both ways, with owners and modes", async ({ runv, id, directory }) => {
      const volume = join(directory, "volume");
      writeFileSync(join(volume, "from-host"), "host\n");
      const script = `
        set -e; cd /volume; cat from-host; mkdir -p dir; echo guest > dir/file; chmod 640 dir/file; chown 12:34 dir/file
        mv dir/file dir/moved; ln -sf moved dir/link; cat dir/link; rm from-host`;
      expect(await runv(["exec", id("main"), "sh", "-c", script])).toEqual({ ...done, stdout: "host\nguest\n" });
      const { uid, gid, mode } = statSync(join(volume, "dir/link"));
      expect([uid, gid, mode & 0o777]).toEqual([12, 34, 0o640]);
      expect(readFileSync(join(volume, "dir/moved"), "utf8")).toBe("guest\n");
      rmSync(join(volume, "dir"), { recursive: true });
    });

    runvTest("the network is that of its namespace", async ({ runv, id }) => {
      const { stdout } = await runv(["exec", id("main"), "sh", "-c", "ip -o -4 addr show eth0; ping -c 1 10.9.0.1"]);
      expect(stdout).toContain("inet 10.9.0.11/24");
      expect(stdout).toContain(" 0% packet loss");
    });

    runvTest("an interface comes and goes with the namespace's, where the driver can", async ({ runv, id }) => {
      const names = async () => (await runv(["exec", id("main"), "ls", "/sys/class/net"])).stdout.trim().split(/\s+/);
      const before = await names();
      await lab.plug(station, "eth1", 12);
      const added = [...before, "eth1"].sort();
      if (capabilities?.hotplugNic) await until("eth1 comes", async () => same(await names(), added), patience);
      await station.ip("link", "del", "eth1");
      await until("eth1 goes", async () => same(await names(), before), patience);
    });

    runvTest("a container in another one's pid namespace has its own network, where the driver can", async (rig) => {
      const { pid } = JSON.parse((await rig.runv(["state", rig.id("main")])).stdout);
      const bundle = await rig.bundle({
        args: ["sh", "-c", "ps -o args | grep -c '^sleep 100000'; ip -o -4 addr show eth0; ping -c 1 10.9.0.1"],
        change: (config) => {
          inNamespace(config, other.path);
          for (const namespace of config.linux.namespaces) {
            if (namespace.type === "pid") namespace.path = `/proc/${pid}/ns/pid`;
          }
        },
      });
      const { stdout, stderr } = await rig.runv(["run", "-b", bundle, rig.id("joined")]);
      if (capabilities?.hotplugNic) {
        expect(stderr).toBe("");
        expect(stdout).toMatch(/^1\n.*inet 10\.9\.0\.13\/24.* 0% packet loss/s);
      } else expect(stderr).toContain(`the driver ${driver.name} cannot add network interfaces`);
      expect(await other.run("tc", "qdisc")).not.toContain("ingress");
    });

    runvTest("what a guest frees goes back to the host, where the driver can", async (rig) => {
      const { machine } = partsOf(rig, rig.id("main"));
      if (capabilities?.freePageReporting !== true || machine === undefined) return;
      const resident = () =>
        Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${machine}/status`, "utf8"))![1]) / 1024;
      const before = resident();
      // In a large machine some tens of MiB may stay until more is freed (docs/memory.md).
      const free = await rig.runv(["exec", rig.id("main"), "sed", "-n", "s/^MemFree: *//p", "/proc/meminfo"]);
      const freed = Math.min(200, Math.floor(Number.parseInt(free.stdout, 10) / 2048));
      const words = ["dd", "if=/dev/zero", "of=/dev/null", `bs=${freed}M`, "count=1"];
      expect((await rig.runv(["exec", rig.id("main"), ...words])).code).toBe(0);
      expect(resident()).toBeGreaterThan(before + freed / 2);
      await until("the memory comes back", () => resident() < before + freed / 2, patience);
    });

    runvTest("a machine grows, or its driver says that it cannot", async ({ runv, id }) => {
      const total = async () =>
        Number(/MemTotal: +(\d+)/.exec((await runv(["exec", id("main"), "cat", "/proc/meminfo"])).stdout)?.[1]);
      const before = await total();
      const more = `${Math.ceil(before / 1024) + 300}M`;
      const { code, stderr } = await runv(["update", "--memory", more, id("main")]);
      if (capabilities?.hotplugMemory) {
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(await total()).toBeGreaterThan(before + (200 << 10));
      } else expect([code, stderr]).toEqual([1, expect.stringContaining(`driver ${driver.name} cannot`)]);
    });

    runvTest("an image is the root file system, or its driver says that it cannot", async (rig) => {
      const image = await makeImage(rig.directory);
      const script = "echo written >/word; head -1 /proc/mounts; ls /sys/block";
      const result = await rig.runv([
        "run",
        "-b",
        await rig.bundle(onDisk(image, ["sh", "-c", script])),
        rig.id("disk"),
      ]);
      if (!capabilities?.hotplugDisk) {
        expect(result.stderr).toContain(`the driver ${driver.name} cannot add disks to a machine`);
        return;
      }
      expect(result).toEqual({ code: 0, stdout: expect.stringMatching(/^\/dev\/vda \/ ext4 rw.*\nvda\n/), stderr: "" });
      expect(await fileIn(image, "/word")).toBe("written\n");
    });

    runvTest("kill sends signals, and ends a container", async ({ runv, spawn, bundle, id }) => {
      const script = "trap 'echo caught' USR1; echo ready; while :; do sleep 0.1; done";
      const child = spawn(["run", "-b", await bundle({ args: ["sh", "-c", script] }), id("killed")]);
      const reader = child.stdout.getReader();
      const next = async () => Buffer.from((await reader.read()).value ?? "").toString();
      expect(await next()).toBe("ready\n");
      expect(await runv(["kill", id("killed"), "USR1"])).toEqual(done);
      expect(await next()).toBe("caught\n");
      expect(await runv(["kill", id("killed"), "KILL"])).toEqual(done);
      expect(await child.exited).toBe(137);
    });

    runvTest("two machines at once, each with its own exit code", async (rig) => {
      const codes = [3, 4];
      const bundles = await Promise.all(
        codes.map((code) => rig.bundle({ args: ["sh", "-c", `echo ${code}; exit ${code}`] })),
      );
      const runs = codes.map((code, index) => rig.runv(["run", "-b", bundles[index]!, rig.id(`two-${code}`)]));
      expect(await Promise.all(runs)).toEqual(codes.map((code) => ({ code, stdout: `${code}\n`, stderr: "" })));
    });

    for (const part of ["machine", "monitor"] as const) {
      runvTest(`kill -9 of the ${part}: the container has stopped, and nothing is left`, async (rig) => {
        const id = rig.id(part);
        const bundle = await rig.bundle({ args: ["sleep", "1000"] });
        expect(await rig.runv(["run", "-d", "-b", bundle, id])).toEqual(done);
        const pid = partsOf(rig, id)[part];
        if (pid !== undefined) {
          process.kill(pid, "SIGKILL");
          await until(`the ${part} is dead`, () => identityOf(pid) === undefined);
          await until("the container is stopped", async () => (await statusOf(rig, id)) === "stopped", patience);
        }
        expect(await rig.runv(["delete", "--force", id])).toEqual(done);
      });
    }
  });
}

/** The container that the tests share: it has a volume, mounts, and the station's network. */
async function startMain(rig: Rig, station: Station): Promise<void> {
  const [volume, readOnly] = ["volume", "read-only"].map((name) => join(rig.directory, name)) as [string, string];
  for (const path of [volume, readOnly]) mkdirSync(path);
  const mount = (destination: string, type: string, source: string, options: string[]) =>
    ({ destination, type, source, options }) satisfies Config["mounts"][number];
  const bundle = await rig.bundle({
    args: ["sleep", "100000"],
    change: (config) => {
      inNamespace(config, station.path);
      for (const set of Object.values(config.process.capabilities as Record<string, string[]>))
        set.push("CAP_CHOWN", "CAP_DAC_OVERRIDE");
      config.mounts.push(
        mount("/volume", "bind", volume, ["rbind", "rw"]),
        mount("/read-only", "bind", readOnly, ["rbind", "ro"]),
        mount("/scratch", "tmpfs", "tmpfs", ["nosuid", "noexec", "size=1024k"]),
      );
    },
  });
  const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id("main")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

const sumOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const same = (one: readonly string[], other: readonly string[]): boolean => one.join() === other.join();

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
