/** Images and block devices of the host as disks of a container: its root file system, and devices that it asks for. */
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../support/bundle";
import { command, output } from "../support/command";
import { fileIn, isWhole, makeImage, onDisk } from "../support/disk-image";
import { runvTest } from "../support/rig";
import { until } from "../support/until";

runvTest("an image is the root file system, and what was written is there the next time", async (rig) => {
  const image = await makeImage(rig.directory);
  const script =
    "cat /count 2>&-; mkfifo /fifo 2>&-; echo again >> /count; head -1 /proc/mounts; test -p /fifo && ls /lost+found";
  const bundle = await rig.bundle(onDisk(image, ["sh", "-c", script]));
  for (const before of ["", "again\n"]) {
    const { code, stdout, stderr } = await rig.runv(["run", "-b", bundle, rig.id("image")]);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^${before}/dev/vd\\w / ext4 rw`)),
      stderr: "",
    });
  }
  expect(await fileIn(image, "/count")).toBe("again\nagain\n");
  expect(await isWhole(image)).toBeTrue();
});

runvTest("a container in another's machine has a disk of its own, which goes with it", async (rig) => {
  const image = await makeImage(rig.directory);
  const first = await rig.bundle({ args: ["sleep", "1000"] });
  expect((await rig.runv(["run", "-d", "-b", first, rig.id("first")])).code).toBe(0);
  const { pid } = JSON.parse((await rig.runv(["state", rig.id("first")])).stdout);
  const second = await rig.bundle(
    onDisk(image, ["sh", "-c", "echo member > /word; sleep 1000"], ({ linux }) => {
      for (const namespace of linux.namespaces)
        if (["network", "ipc", "uts"].includes(namespace.type))
          namespace.path = `/proc/${pid}/ns/${namespace.type === "network" ? "net" : namespace.type}`;
    }),
  );
  expect(await rig.runv(["run", "-d", "-b", second, rig.id("second")])).toMatchObject({ code: 0, stderr: "" });
  const disks = async () => (await rig.runv(["exec", rig.id("first"), "ls", "/sys/block"])).stdout;
  expect(await disks()).toContain("vda");
  await until(
    "the word",
    async () => (await rig.runv(["exec", rig.id("second"), "cat", "/word"])).stdout !== "",
    60_000,
  );
  expect(await rig.runv(["delete", "--force", rig.id("second")])).toMatchObject({ code: 0, stderr: "" });
  await until("the disk to go", async () => !(await disks()).includes("vda"), 60_000);
  expect(await fileIn(image, "/word")).toBe("member\n");
  expect(await isWhole(image)).toBeTrue();
  expect((await rig.runv(["delete", "--force", rig.id("first")])).code).toBe(0);
});

runvTest("a block device of the host is a disk, under the name that was asked for", async (rig) => {
  const image = await makeImage(rig.directory);
  const device = (await output("losetup", "-f", "--show", image)).trim();
  try {
    const minor = Number(device.replace(/\D+/, ""));
    const bundleFor = (access: string, script: string) =>
      rig.bundle({
        args: ["sh", "-c", script],
        change: ({ process, linux }) => {
          const all = ["CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_DAC_OVERRIDE"];
          process.capabilities = { bounding: all, effective: all, permitted: all };
          linux.devices = [{ path: "/dev/xvda", type: "b", major: 7, minor, fileMode: 0o640, uid: 0, gid: 6 }];
          linux.resources = {
            devices: [
              { allow: false, access: "rwm" },
              { allow: true, type: "b", major: 7, minor, access },
            ],
          };
        },
      });
    const writing =
      "stat -c '%F %a %g' /dev/xvda; mount -t ext4 /dev/xvda /tmp && echo container > /tmp/word; umount /tmp; mknod /dev/other b 254 1; cat /dev/other";
    const written = await rig.runv(["run", "-b", await bundleFor("rwm", writing), rig.id("device")]);
    expect(written.stdout).toBe("block special file 640 6\n");
    expect(written.stderr).toMatch(/^cat: can't open '\/dev\/other': Operation not permitted\n$/);
    // Of a device that can only be read the rule does not matter.
    await command("losetup", "-d", device);
    await command("losetup", "-r", device, image);
    const onlyRead = "dd if=/dev/xvda of=/dev/null bs=4k count=1 2>&-; cat /sys/block/vda/ro";
    const kept = await rig.runv(["run", "-b", await bundleFor("rwm", onlyRead), rig.id("kept")]);
    expect([kept.stdout, kept.stderr]).toEqual(["1\n", ""]);
    const reading = "head -c 4096 /dev/xvda | wc -c; echo x > /dev/xvda";
    const read = await rig.runv(["run", "-b", await bundleFor("r", reading), rig.id("read")]);
    expect([read.stdout, read.stderr]).toEqual(["4096\n", expect.stringContaining("not permitted")]);
  } finally {
    await command("losetup", "-d", device);
  }
  expect(await fileIn(image, "/word")).toBe("container\n");
});

const annotated = (annotations: Record<string, string>) => (config: Config) => {
  config.annotations = Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [`org.runv.rootfs.${key}`, value]),
  );
};

runvTest("a disk is one machine's, unless none writes to it", async (rig) => {
  const image = await makeImage(rig.directory);
  const bundle = await rig.bundle(onDisk(image, ["sleep", "1000"]));
  expect(await rig.runv(["run", "-d", "-b", bundle, rig.id("first")])).toMatchObject({ code: 0, stderr: "" });
  for (const readonly of [false, true]) {
    const other = await rig.bundle(onDisk(image, ["true"], ({ root }) => void Object.assign(root, { readonly })));
    const { code, stderr } = await rig.runv(["run", "-b", other, rig.id("second")]);
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining("another machine has it")]);
  }
  expect((await rig.runv(["delete", "--force", rig.id("first")])).code).toBe(0);
  const reading = await rig.bundle(
    onDisk(image, ["sleep", "1000"], ({ root }) => void Object.assign(root, { readonly: true })),
  );
  for (const name of ["third", "fourth"]) {
    expect(await rig.runv(["run", "-d", "-b", reading, rig.id(name)])).toMatchObject({ code: 0, stderr: "" });
  }
  for (const name of ["third", "fourth"]) await rig.runv(["delete", "--force", rig.id(name)]);
});

runvTest("what cannot be a disk is refused, with the field", async (rig) => {
  const overlaid = join(rig.directory, "overlaid.qcow2");
  writeFileSync(overlaid, Buffer.from("514649fb000000030000000000000200", "hex"));
  const devices = [{ path: "/dev/xvda", type: "b", major: 4000, minor: 1 }];
  const rules = [{ allow: true, type: "b", major: 4000, minor: 1, access: "rwm" }];
  const cases: [(config: Config) => void, string][] = [
    [annotated({ block: "missing.img" }), "missing.img: not found"],
    [annotated({ block: "/dev/null" }), "is no image"],
    [annotated({ block: overlaid, format: "qcow2" }), "leans on another image"],
    [({ linux }) => Object.assign(linux, { devices, resources: { devices: rules } }), "no block device 4000:1"],
  ];
  for (const [change, words] of cases) {
    const bundle = await rig.bundle({ change });
    const { code, stderr } = await rig.runv(["run", "-b", bundle, rig.id("refused")]);
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(words)]);
  }
  const notExt4 = join(rig.directory, "zeros.img");
  writeFileSync(notExt4, Buffer.alloc(2 ** 20));
  const { stderr } = await rig.runv(["run", "-b", await rig.bundle(onDisk(notExt4, ["true"])), rig.id("zeros")]);
  expect(stderr).toContain("mount the root file system's disk (ext4): ");
  expect(readFileSync(notExt4).equals(Buffer.alloc(2 ** 20))).toBeTrue();
});
