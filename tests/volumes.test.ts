/** Bind mounts from several file systems of the host, and root file systems that are full of traps. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./support/bundle";
import { command } from "./support/command";
import { type Rig, runvTest } from "./support/rig";

const rootOf = (bundle: string): string => JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")).root.path;
const bind = (source: string, destination: string, ...options: string[]): Config["mounts"][number] => ({
  type: "bind",
  source,
  destination,
  options: ["rbind", ...options],
});

/** Directories on a tmpfs, an overlay and the file system of /var/tmp, each with a file, gone afterwards. */
async function withVolumes(rig: Rig, body: (volumes: Record<string, string>) => Promise<void>): Promise<void> {
  const place = join(rig.directory, "volumes");
  const volumes = Object.fromEntries(["tmpfs", "overlay", "plain"].map((kind) => [kind, join(place, kind)]));
  for (const path of Object.values(volumes)) mkdirSync(path, { recursive: true });
  for (const name of ["lower", "upper", "work"]) mkdirSync(join(place, name));
  const layers = ["lower", "upper", "work"].map((name) => `${name}dir=${join(place, name)}`).join(",");
  const mounts = [
    ["-t", "tmpfs", "none", volumes.tmpfs!],
    ["-t", "overlay", "overlay", "-o", layers, volumes.overlay!],
  ];
  try {
    for (const words of mounts) await command("mount", ...words);
    for (const [kind, path] of Object.entries(volumes)) writeFileSync(join(path, "file"), `from ${kind}\n`);
    await body(volumes);
  } finally {
    for (const words of mounts.toReversed()) await command("umount", words.at(-1)!);
  }
}

runvTest(
  "directories and files, read-only and not, nested, by way of links, from several file systems",
  async (rig) => {
    await withVolumes(rig, async ({ tmpfs = "", overlay = "", plain = "" }) => {
      // A file system mounted inside the volume comes along; a link to a source is followed on the host.
      mkdirSync(join(plain, "inner"));
      await command("mount", "-t", "tmpfs", "none", join(plain, "inner"));
      try {
        writeFileSync(join(plain, "inner/deep"), "deep\n");
        symlinkSync(tmpfs, join(rig.directory, "link"));
        const script = `
        exec 2>&1; set -x
        cat /v/*/file /one/file /linked/file /v/plain/inner/deep /v/tmpfs/below/file
        for d in /v/*; do echo new > $d/new; mkdir $d/dir; mv $d/new $d/dir/moved; ln -s moved $d/dir/link; chmod 600 $d/dir/moved; chown 12:34 $d/dir/moved; done
        echo changed > /one/file
        echo no > /ro/x; rm /ro/file; echo no > /one/ro; touch /ro/inner/x
      `;
        const bundle = await rig.bundle({
          args: ["sh", "-c", script],
          change: ({ root, process, mounts }) => {
            root.readonly = false;
            const all = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID"];
            process.capabilities = { bounding: all, effective: all, permitted: all };
            mounts.push(
              bind(tmpfs, "/v/tmpfs"),
              bind(overlay, "/v/overlay"),
              bind(plain, "/v/plain"),
              bind(overlay, "/v/tmpfs/below"),
              bind(join(rig.directory, "link"), "/linked"),
              bind(join(overlay, "file"), "/one/file"),
              bind(join(plain, "file"), "/one/ro", "ro"),
              bind(plain, "/ro", "ro"),
            );
          },
        });
        const { stdout } = await rig.runv(["run", "-b", bundle, rig.id("volumes")]);
        const said = stdout.split("\n").filter((line) => !line.startsWith("+"));
        expect(said.slice(0, 7)).toEqual([
          "from overlay",
          "from plain",
          "from tmpfs",
          "from overlay",
          "from tmpfs",
          "deep",
          "from overlay",
        ]);
        expect(said.slice(7, -1)).toHaveLength(3);
        for (const line of said.slice(7, -1)) expect(line).toMatch(/Read-only file system/);
        for (const path of [tmpfs, overlay, plain]) {
          const { uid, gid, mode } = statSync(join(path, "dir/link"));
          expect([uid, gid, mode & 0o777]).toEqual([12, 34, 0o600]);
          expect(readFileSync(join(path, "dir/moved"), "utf8")).toBe("new\n");
        }
        expect(readFileSync(join(overlay, "file"), "utf8")).toBe("changed\n");
        expect(readFileSync(join(plain, "file"), "utf8")).toBe("from plain\n");
        // "ro" is for the mount, not for those below it, as under runc.
        expect(existsSync(join(plain, "inner/x"))).toBeTrue();
      } finally {
        await command("umount", join(plain, "inner"));
      }
    });
  },
);

runvTest("what host and guest write, the other sees at once", async (rig) => {
  const shared = join(rig.directory, "shared");
  mkdirSync(shared);
  writeFileSync(join(shared, "word"), "one");
  const bundle = await rig.bundle({
    args: ["sleep", "1000"],
    change: ({ mounts }) => void mounts.push(bind(shared, "/shared")),
  });
  const id = rig.id("shared");
  expect((await rig.runv(["run", "-d", "-b", bundle, id])).code).toBe(0);
  const shell = async (script: string) => (await rig.runv(["exec", id, "sh", "-c", script])).stdout;
  expect(await shell("cat /shared/word; printf two > /shared/word")).toBe("one");
  expect(readFileSync(join(shared, "word"), "utf8")).toBe("two");
  writeFileSync(join(shared, "word"), "a longer three");
  expect(await shell("cat /shared/word; rm /shared/word; mkdir /shared/made")).toBe("a longer three");
  expect([existsSync(join(shared, "word")), existsSync(join(shared, "made"))]).toEqual([false, true]);
  rmSync(join(shared, "made"), { recursive: true });
  expect(await shell("ls -A /shared")).toBe("");
  expect((await rig.runv(["delete", "--force", id])).code).toBe(0);
});

runvTest("a root file system full of traps touches nothing outside it", async (rig) => {
  const canary = join(rig.directory, "canary");
  mkdirSync(canary);
  writeFileSync(join(canary, "file"), "alive\n");
  const source = join(rig.directory, "source");
  mkdirSync(source);
  writeFileSync(join(source, "mine"), "mine\n");
  const bundle = await rig.bundle({
    args: ["sh", "-c", "ls /up/canary /abs /at-root /tmp/climbed; wc -c /up/canary/mine"],
    change: ({ root, mounts, linux }) => {
      root.readonly = false;
      const at = (path: string) => join(root.path, path);
      // Absolute ones, and ones that climb as high as they can: inside, they must end at the container's root.
      symlinkSync(`../../../../../../..${rig.directory}`, at("up"));
      symlinkSync(canary, at("abs"));
      // Where they lead inside.
      mkdirSync(at(canary), { recursive: true });
      writeFileSync(at(`${canary}/file`), "inside\n");
      symlinkSync("/", at("slash"));
      symlinkSync("loop", at("loop"));
      mounts.push(
        bind(source, "/up/canary"),
        bind(source, "/abs/below/it"),
        bind(source, "/slash/at-root"),
        bind(source, "/a/../../../../../../../../tmp/climbed"),
        { destination: "/up/tmpfs", type: "tmpfs", source: "tmpfs", options: [] },
      );
      linux.maskedPaths = ["/abs/file", "/up/canary/mine"];
      linux.readonlyPaths = ["/abs", "/slash"];
    },
  });
  const climbed = existsSync("/tmp/climbed");
  const { code, stdout, stderr } = await rig.runv(["run", "-b", bundle, rig.id("traps")]);
  // Every mount is where its link leads inside; the masked file is empty.
  const listed = ["/abs", "/at-root", "/tmp/climbed", "/up/canary"].map((path) => `${path}:\nbelow\nmine\n`);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${listed.join("\n")}0 /up/canary/mine\n`, stderr: "" });
  expect(readFileSync(join(canary, "file"), "utf8")).toBe("alive\n");
  expect([
    existsSync(join(canary, "below")),
    existsSync(join(canary, "made-by-dangling")),
    existsSync("/tmp/climbed"),
  ]).toEqual([false, false, climbed]);
  expect(existsSync(join(rig.directory, "tmpfs"))).toBeFalse();
  expect(readFileSync(join(source, "mine"), "utf8")).toBe("mine\n");
});

runvTest("a link that leads nowhere, as a mount's target, makes nothing outside", async (rig) => {
  const outside = join(rig.directory, "made");
  const source = join(rig.directory, "source");
  writeFileSync(source, "");
  const bundle = await rig.bundle({
    args: ["true"],
    change: ({ mounts }) => void mounts.push(bind(source, "/dangling")),
  });
  symlinkSync(outside, join(rootOf(bundle), "dangling"));
  const { code, stderr } = await rig.runv(["run", "-b", bundle, rig.id("dangling")]);
  if (code !== 0) expect(stderr).toContain("/dangling");
  expect(existsSync(outside)).toBeFalse();
});

for (const [name, target] of [
  ["proc", "/"],
  ["sys", "../../../../.."],
  ["dev", "/tmp"],
  ["etc", "/"],
] as const) {
  runvTest(`/${name} is a link to ${target}`, async (rig) => {
    const bundle = await rig.bundle({ args: ["sh", "-c", "echo inside; ls /"] });
    const path = join(rootOf(bundle), name);
    rmSync(path, { recursive: true });
    symlinkSync(target, path);
    const { code, stdout, stderr } = await rig.runv(["run", "-b", bundle, rig.id("link")]);
    if (code === 0) expect(stdout).toMatch(/^inside\n/);
    else expect(stderr).toContain(name);
    // The host's own /proc and /dev are the host's.
    expect(readFileSync("/proc/self/comm", "utf8").length).toBeGreaterThan(0);
    expect(statSync("/dev/null").isCharacterDevice()).toBeTrue();
  });
}
