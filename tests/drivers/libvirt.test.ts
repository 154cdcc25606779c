/** What only the driver libvirt has: machines that libvirt's own tools show, its daemon's death, and its errors. */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf } from "../../src/linux/identity";
import { output } from "../support/command";
import { fileIn, makeImage, onDisk } from "../support/disk-image";
import { processesOf } from "../support/processes";
import { type Rig, runvTest } from "../support/rig";
import { until } from "../support/until";
import { type Daemons, libvirt, startLibvirt } from "./support/libvirt";
import { partsOf, statusOf } from "./support/parts";

const missing = libvirt.missing?.();
if (missing !== undefined) process.stderr.write(`the driver libvirt is not tried: ${missing}\n`);

describe.skipIf(missing !== undefined)("libvirt", () => {
  let directory = "";
  let daemons: Daemons;
  const start = async () => {
    directory = mkdtempSync("/tmp/runv-libvirt-");
    daemons = await startLibvirt(join(directory, "libvirt"));
  };
  const end = async () => {
    await daemons.end();
    rmSync(directory, { recursive: true });
  };
  beforeAll(start, 120_000);
  afterAll(end, 120_000);
  const flags = () => ["--driver", "libvirt", "--libvirt-uri", daemons.uri];

  async function run(rig: Rig, suffix: string): Promise<string> {
    const id = rig.id(suffix);
    const bundle = await rig.bundle({
      args: ["sleep", "1000"],
      change: (config) => {
        config.hostname = "web1";
        config.linux.cgroupsPath = `/${id}`;
      },
    });
    expect(await rig.runv([...flags(), "run", "-d", "-b", bundle, id])).toEqual({ code: 0, stdout: "", stderr: "" });
    return id;
  }

  runvTest("virsh list shows a container by its id and title, and it is in the container's cgroup", async (rig) => {
    const id = await run(rig, "shown");
    expect(await output("virsh", "-c", daemons.uri, "list", "--title")).toMatch(
      new RegExp(` ${id} +running +sleep on web1\\n`),
    );
    const { machine } = partsOf(rig, id);
    const cgroups = readFileSync(`/proc/${machine}/cgroup`, "utf8");
    expect(cgroups).toContain(`/${id}\n`);
    expect(cgroups).not.toContain("/machine/");
    // Its user is libvirt's own; nothing was given to that.
    expect(readFileSync(`/proc/${machine}/status`, "utf8")).toMatch(/^CapEff:\t0+$/m);
    expect((await rig.runv(["delete", "--force", id])).code).toBe(0);
    expect(await output("virsh", "-c", daemons.uri, "list", "--all", "--name")).not.toContain(id);
  });

  runvTest("check starts a machine", async ({ runv }) => {
    const { code, stdout } = await runv([...flags(), "check"]);
    expect(stdout).toMatch(/^ok +libvirt +.*, version \d/m);
    expect(stdout).toMatch(/^ok +trial +libvirt starts a machine/m);
    expect(code).toBe(0);
  });

  runvTest("a processor is added to a running machine, and virsh shows it", async (rig) => {
    const id = await run(rig, "grows");
    const count = async () => (await rig.runv(["exec", id, "grep", "-c", "^processor", "/proc/cpuinfo"])).stdout.trim();
    expect(await count()).toBe("1");
    const { code, stderr } = await rig.runv(["update", "--cpu-quota", "200000", "--cpu-period", "100000", id]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(await count()).toBe("2");
    expect(await output("virsh", "-c", daemons.uri, "vcpucount", id, "--live", "--current")).toBe("2\n\n");
    expect(readFileSync(`/proc/${partsOf(rig, id).machine}/cgroup`, "utf8")).not.toContain("/machine/");
    expect((await rig.runv(["delete", "--force", id])).code).toBe(0);
  });

  runvTest("a disk goes with its container, and so does its server", async (rig) => {
    const first = await run(rig, "first");
    const { pid } = JSON.parse((await rig.runv(["state", first])).stdout);
    const image = await makeImage(rig.directory);
    const second = await rig.bundle(
      onDisk(image, ["sh", "-c", "echo member >/word; echo written; sleep 1000"], ({ linux }) => {
        for (const namespace of linux.namespaces)
          if (namespace.type === "network") namespace.path = `/proc/${pid}/ns/net`;
      }),
    );
    const disks = () => output("virsh", "-c", daemons.uri, "domblklist", first);
    const servers = () => processesOf(rig.name).filter((line) => line.includes("qemu-storage-daemon")).length;
    const member = rig.spawn([...flags(), "run", "-b", second, rig.id("second")]);
    const { value } = await member.stdout.getReader().read();
    expect(Buffer.from(value!).toString()).toBe("written\n");
    expect(await disks()).toMatch(/ vda +disk/);
    expect(servers()).toBe(1);
    expect((await rig.runv(["delete", "--force", rig.id("second")])).code).toBe(0);
    await until("the disk is gone", async () => !(await disks()).includes("vda"), 60_000);
    await until("its server has ended", () => servers() === 0, 60_000);
    expect(await fileIn(image, "/word")).toBe("member\n");
    expect((await rig.runv(["delete", "--force", first])).code).toBe(0);
  });

  runvTest("kill -9 of libvirtd ends its machines: nothing would tie them to their monitors", async (rig) => {
    const id = await run(rig, "daemon");
    const { machine } = partsOf(rig, id);
    process.kill(daemons.pid, "SIGKILL");
    await until("QEMU is dead", () => identityOf(machine!) === undefined, 60_000);
    await until("the container is stopped", async () => (await statusOf(rig, id)) === "stopped", 60_000);
    const lost = await rig.runv([...flags(), "run", "-b", await rig.bundle(), rig.id("lost")]);
    expect([lost.code, lost.stderr]).toEqual([1, expect.stringMatching(/Connection refused.*VM_LIBVIRT_DAEMON/)]);
    expect((await rig.runv(["delete", "--force", id])).code).toBe(0);
    await end();
    // As libvirtd does for the machines that it finds dead when it starts again; this one's records are gone with its namespace.
    const cgroups = ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*/machine/qemu-*${rig.name}*`];
    await output("find", ...cgroups, "-exec", "rmdir", "{}", ";");
    await start();
  });

  runvTest("what is wrong is said, with what to do", async (rig) => {
    const bundle = await rig.bundle();
    const fail = async (uri: string, env: Record<string, string> = {}, more: readonly string[] = []) =>
      (
        await rig.runv(["--driver", "libvirt", "--libvirt-uri", uri, ...more, "run", "-b", bundle, rig.id("no")], {
          env,
        })
      ).stderr;
    expect(await fail("qemu+unix:///system?socket=/nonexistent")).toMatch(/No such file.*VM_LIBVIRT_DAEMON/);
    expect(await fail("qemu+bogus:///system")).toMatch(/transport in URL not recognised.*VM_LIBVIRT_URI/);
    expect(await fail("test:///default")).toMatch(/drives TEST, and not QEMU.*VM_LIBVIRT_URI/);
    const kernel = join(rig.directory, "kernel");
    writeFileSync(kernel, "text\n");
    // Libvirt's user is to read it.
    chmodSync(rig.directory, 0o755);
    expect(await fail(daemons.uri, {}, ["--kernel", kernel])).toMatch(
      /kernel too old.*VM_KERNEL_FORMAT\nhint: .*image build/,
    );
    chmodSync(kernel, 0o600);
    expect(await fail(daemons.uri, {}, ["--kernel", kernel])).toMatch(
      /Permission denied.*VM_LIBVIRT_REFUSED\nhint: .*must be able to read kernel and initrd/,
    );
    const nobody = ["setpriv", "--reuid", "65534", "--clear-groups", ...rig.command([...flags(), "check"])];
    expect(Bun.spawnSync(nobody).stdout.toString()).toMatch(
      /^missing +libvirt +.*Permission denied +\(fix: run as root/m,
    );
    const old = join(rig.directory, "virsh");
    writeFileSync(
      old,
      '#!/bin/sh\necho "Using API: QEMU 7.0.0\nRunning against daemon: 7.0.0\nrunv-done"\ncat >/dev/null\n',
      {
        mode: 0o755,
      },
    );
    const path = `${rig.directory}:${process.env.PATH}`;
    expect(await fail(daemons.uri, { PATH: path })).toMatch(
      /is version 7\.0\.0, runv needs 7\.2\.0 or later.*VM_LIBVIRT_OLD/,
    );
    const hidden = rig.command([...flags(), "run", "-b", bundle, rig.id("no")]);
    const without = [
      "unshare",
      "-m",
      "sh",
      "-c",
      'mount --bind /dev/null /usr/bin/virsh && exec "$@"',
      "sh",
      ...hidden,
    ];
    expect(Bun.spawnSync(without).stderr.toString()).toMatch(/no virsh on PATH.*VM_LIBVIRT_MISSING/);
  });
});
