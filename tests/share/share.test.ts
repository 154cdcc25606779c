/** What programs do with the files of a root file system and of volumes, which reach the guest through the share. */
import { describe, expect } from "bun:test";
import { lstatSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { imageIn } from "../../src/image/paths";
import { readImageManifest } from "../../src/image/read-manifest";
import { withDescendants } from "../../src/linux/processes";
import { withFlags } from "../drivers/support/driver";
import { imagesAtHand, mapsNoneShared } from "../support/kernels";
import { sharedRig } from "../support/shared";

const program = readFileSync(join(import.meta.dir, "files.py"), "utf8");
const { kernelRelease } = readImageManifest(imageIn(imagesAtHand()[0]!).initrd);
/** What does not work where no file can be mapped shared for writing. */
const withoutMaps = [
  "shared memory of a file: OSError(22, 'Invalid argument')\n",
  "a database with a log: OperationalError('disk I/O error')\n",
];
const capabilities = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD"];

for (const [share, server] of [
  ["9p", "qemu-system-x86"],
  ["fuse", "qemu-system-x86"],
  ["virtiofs", "virtiofsd"],
] as const) {
  describe(share, () => {
    let volume = "";
    let rootfs = "";
    const runvTest = sharedRig(async (rig) => {
      volume = join(rig.directory, "volume");
      mkdirSync(volume);
      const bundle = await rig.bundle({
        rootfs: "debian",
        args: ["sleep", "100000"],
        change: ({ process, root, mounts, linux }) => {
          root.readonly = false;
          rootfs = root.path;
          process.capabilities = Object.fromEntries(
            ["bounding", "effective", "permitted"].map((set) => [set, capabilities]),
          );
          mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["rbind"] });
          linux.resources = { devices: [{ allow: true, access: "rwm" }] };
        },
      });
      const { runv } = withFlags(rig, ["--share", share, "--default_memory", "256"]);
      const { code, stderr } = await runv(["run", "-d", "-b", bundle, rig.id("files")]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    });

    for (const [what, place, onHost] of [
      ["a volume", "/volume", () => volume],
      ["the root file system", "/srv", () => join(rootfs, "srv")],
    ] as const) {
      runvTest(`special files, locks, maps and databases in ${what}`, async ({ runv, id }) => {
        const words = ["exec", id("files"), "python3", "-c", program, place];
        const limits = share === "9p" && mapsNoneShared(kernelRelease) ? withoutMaps : [];
        expect(await runv(words)).toMatchObject({ stdout: limits.join(""), code: limits.length > 0 ? 1 : 0 });
        const seen = Object.fromEntries(
          ["fifo", "null", "loop", "socket"].map((name) => {
            const { mode, uid, gid } = lstatSync(join(onHost(), name));
            return [name, [mode.toString(8), uid, gid]];
          }),
        );
        expect(seen).toEqual({
          fifo: ["14755", 12, 34],
          null: ["20644", 0, 0],
          loop: ["60600", 0, 0],
          socket: ["140777", 0, 0],
        });
      });
    }

    runvTest("who serves the files can open no device node among them, and run nothing", async ({ root, id }) => {
      const { monitor, machine } = JSON.parse(readFileSync(join(root, id("files"), "state.json"), "utf8"));
      // QEMU may have been forked elsewhere.
      const servers = [...withDescendants(monitor.pid, machine.pid)].filter((pid) => nameOf(pid) === server);
      expect(servers.length).toBeGreaterThanOrEqual(1);
      const mounts = readFileSync(`/proc/${servers.at(-1)}/mountinfo`, "utf8").split("\n");
      const options = mounts.filter((line) => line.includes(`/${id("files")}/`)).map((line) => line.split(" ")[5]);
      expect(options.length).toBeGreaterThanOrEqual(2);
      for (const each of options) expect(each).toMatch(/^rw,nosuid,nodev,noexec/);
    });
  });
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, "utf8").trim().slice(0, 15);
}
