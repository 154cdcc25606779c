/**
 * What host and guests see of each other's changes, over 9p and with runv's own server: the rows of truth.ts. RUNV_TEST_IMAGES names directories with other images (kernel and
 * hyper-initrd.img), separated by colons: the table is the same for
 * every kernel, but for what docs/share.md says of 9p.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { imageIn } from "../../src/image/paths";
import { readImageManifest } from "../../src/image/read-manifest";
import { withFlags } from "../drivers/support/driver";
import { imagesAtHand, mapsNoneShared } from "../support/kernels";
import { type Rig, runvTest } from "../support/rig";
import { imageFlags } from "../support/runv";
import { type Guest, program, rows, type Sides } from "./truth";

interface Running extends Guest {
  child: ReturnType<Rig["spawn"]>;
}

/** Starts a guest with the volume, and one file of it by itself. */
async function start(rig: Rig, name: string, volume: string): Promise<Running> {
  const bundle = await rig.bundle({
    rootfs: "debian",
    args: ["python3", "-u", "-c", program],
    change: ({ mounts }) => {
      mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["rbind"] });
      mounts.push({ destination: "/single", type: "bind", source: join(volume, "single"), options: ["bind"] });
    },
  });
  const child = rig.spawn(["run", "-b", bundle, rig.id(name)], { input: "pipe", timeout: 400_000 });
  const reader = child.stdout.getReader();
  let said = "";
  const line = async (): Promise<string> => {
    for (;;) {
      const end = said.indexOf("\n");
      if (end >= 0) {
        const first = said.slice(0, end);
        said = said.slice(end + 1);
        return first;
      }
      const { value, done } = await reader.read();
      if (done) throw new Error(`the guest has ended: ${await new Response(child.stderr).text()}`);
      said += new TextDecoder().decode(value);
    }
  };
  expect(await line()).toBe("ready");
  const input = child.stdin as import("bun").FileSink;
  return {
    child,
    async do(code) {
      input.write(`${JSON.stringify(code)}\n`);
      await input.flush();
      return JSON.parse(await line()) as string;
    },
  };
}

for (const image of imagesAtHand()) {
  const { kernelRelease } = readImageManifest(imageIn(image).initrd);
  const isNew = mapsNoneShared(kernelRelease);

  describe.each(["9p", "fuse"])(`${kernelRelease}, %s`, (share) => {
    runvTest("both sides see the truth", async (plain) => {
      const rig = withFlags(plain, [...imageFlags(image), "--share", share, "--default_memory", "256"]);
      const host = join(rig.directory, "volume");
      mkdirSync(host);
      writeFileSync(join(host, "single"), "one\n");
      const one = await start(rig, "one", host);
      const two = await start(rig, "two", host);
      const sides: Sides = { host, at: "/volume", one, two };
      const wanted: Record<string, unknown> = {};
      const seen: Record<string, unknown> = {};
      for (const { what, run, truth, limit, newLimit } of rows) {
        const limits = share === "9p" ? [isNew ? newLimit : undefined, limit] : [];
        if (limits.includes("hangs")) {
          process.stderr.write(`Linux ${kernelRelease}, ${share}: left out, for it hangs: ${what}\n`);
          continue;
        }
        wanted[what] = limits.find((known) => known !== undefined) ?? truth;
        seen[what] = await run(sides);
      }
      expect(seen).toEqual(wanted);

      // What a write has returned for is on the host.
      await one.do(`f = os.open("/volume/killed", os.O_CREAT | os.O_WRONLY)`);
      await one.do(`for i in range(32): os.write(f, b"line\\n")`);
      const { machine } = JSON.parse(readFileSync(join(rig.root, rig.id("one"), "state.json"), "utf8"));
      process.kill(machine.pid, "SIGKILL");
      expect(await one.child.exited).toBe(128 + 9);
      expect(readFileSync(join(host, "killed"), "utf8")).toBe("line\n".repeat(32));
      two.child.kill("SIGKILL");
      await two.child.exited;
      for (const name of ["one", "two"]) {
        expect(await rig.runv(["delete", "--force", rig.id(name)])).toMatchObject({ code: 0, stderr: "" });
      }
    });
  });
}
