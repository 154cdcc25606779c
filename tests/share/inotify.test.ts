/**
 * inotify(7) of a guest whose files runv's own server has: it tells of what the host changes, in the container's root and in a volume, as of what the guest does itself, and of that once.
 * RUNV_TEST_IMAGES names directories with other images, as in truth.test.ts.
 */
import { describe, expect } from "bun:test";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { imageIn } from "../../src/image/paths";
import { readImageManifest } from "../../src/image/read-manifest";
import { withFlags } from "../drivers/support/driver";
import { imagesAtHand } from "../support/kernels";
import { type Rig, runvTest } from "../support/rig";
import { imageFlags } from "../support/runv";

/** Watches what its arguments name, and says a line for each event. What it reads are commands for a shell. */
const program = `
import ctypes, os, struct, subprocess, sys, threading
libc = ctypes.CDLL(None)
names = {2: "modify", 4: "attrib", 8: "close_write", 0x40: "moved_from", 0x80: "moved_to", 0x100: "create", 0x200: "delete", 0x400: "delete_self"}
fd = libc.inotify_init1(0)
watches = {libc.inotify_add_watch(fd, path.encode(), sum(names)): path for path in sys.argv[1:]}
def tell():
    while True:
        data = os.read(fd, 65536)
        while data:
            watch, mask, cookie, length = struct.unpack("iIII", data[:16])
            name = data[16:16 + length].rstrip(bytes(1)).decode()
            for bit in names:
                if mask & bit: print(watches[watch], names[bit] + ("_dir" if mask & 0x40000000 else ""), name, flush=True)
            data = data[16 + length:]
threading.Thread(target=tell, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    subprocess.run(["sh", "-c", line])
    print("done", flush=True)
`;

/** Reads lines of a process. */
function linesOf({ stdout, stderr }: ReturnType<Rig["spawn"]>): () => Promise<string> {
  const reader = stdout.getReader();
  const decoder = new TextDecoder();
  let said = "";
  return async () => {
    for (;;) {
      const end = said.indexOf("\n");
      if (end >= 0) {
        const line = said.slice(0, end).trimEnd();
        said = said.slice(end + 1);
        return line;
      }
      const { value, done } = await reader.read();
      if (done) throw new Error(`the guest has ended: ${await new Response(stderr).text()}`);
      said += decoder.decode(value, { stream: true });
    }
  };
}

/** Writes in one piece to a file that is opened with these flags. */
function write(path: string, flags: "wx" | "a"): void {
  const fd = openSync(path, flags);
  writeSync(fd, "text");
  closeSync(fd);
}

/** What the host does in a directory that is watched, and what is told of it: the event, and the name. The other directory nobody has looked at. */
const changes: readonly [(at: (name: string) => string, other: string) => void, ...string[]][] = [
  [(at) => write(at("new"), "wx"), "create new", "modify new", "close_write new"],
  [(at) => write(at("new"), "a"), "modify new", "close_write new"],
  [(at) => write(at("unseen"), "a"), "modify unseen", "close_write unseen"],
  [(at) => chmodSync(at("new"), 0o600), "attrib new"],
  [(at) => renameSync(at("new"), at("newer")), "moved_from new", "moved_to newer"],
  [(at) => renameSync(at("newer"), at("unseen")), "moved_from newer", "moved_to unseen"],
  [(at) => rmSync(at("unseen")), "delete unseen"],
  [(at) => rmSync(at("never-seen")), "delete never-seen"],
  [(at) => mkdirSync(at("made")), "create_dir made"],
  [(at) => renameSync(at("made"), at("moved")), "moved_from_dir made", "moved_to_dir moved"],
  [(at) => rmdirSync(at("moved")), "delete_dir moved"],
  [(at) => symlinkSync("nowhere", at("link")), "create link"],
  [(at) => rmSync(at("link")), "delete link"],
  [(at) => void Bun.spawnSync(["mkfifo", at("fifo")]), "create fifo"],
  [(at, other) => renameSync(at("fifo"), join(other, "fifo")), "moved_from fifo"],
  [(at, other) => renameSync(join(other, "fifo"), at("fifo")), "moved_to fifo"],
  [(at) => renameSync(at("fifo"), at("fifo2")), "moved_from fifo", "moved_to fifo2"],
];

/** What the guest does, in the directory. */
const own = [
  ["echo a >own", "create own", "modify own", "close_write own"],
  ["chmod 600 own", "attrib own"],
  ["mkdir d && mv d e && rmdir e", "create_dir d", "moved_from_dir d", "moved_to_dir e", "delete_dir e"],
  [
    "ln own own2 && mv own own3 && rm own2 own3",
    "create own2",
    "moved_from own",
    "moved_to own3",
    "delete own2",
    "delete own3",
  ],
] as const;

for (const image of imagesAtHand()) {
  const { kernelRelease } = readImageManifest(imageIn(image).initrd);

  describe(kernelRelease, () => {
    runvTest("inotify tells what the host changes, and once what the guest does", async (plain) => {
      const rig = withFlags(plain, [...imageFlags(image), "--share", "fuse", "--default_memory", "256"]);
      const volume = join(rig.directory, "volume");
      const single = join(rig.directory, "single");
      mkdirSync(join(volume, "watched"), { recursive: true });
      writeFileSync(single, "single");
      const bundle = await rig.bundle({
        rootfs: "debian",
        args: ["python3", "-c", program, "/root/watched", "/volume/watched", "/volume/watched/itself", "/single"],
        change: (config) => {
          config.root.readonly = false;
          config.mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["rbind"] });
          config.mounts.push({ destination: "/single", type: "bind", source: single, options: ["bind"] });
        },
      });
      const root = join(JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")).root.path, "root");
      mkdirSync(join(root, "watched"));
      for (const directory of [root, volume]) {
        for (const name of ["unseen", "never-seen"]) writeFileSync(join(directory, "watched", name), "");
        mkdirSync(join(directory, "other"));
      }
      writeFileSync(join(volume, "watched/itself"), "");

      const child = rig.spawn(["run", "-b", bundle, rig.id("watcher")], { input: "pipe", timeout: 400_000 });
      const line = linesOf(child);
      const lines = async (count: number) => {
        const said = [];
        for (let i = 0; i < count; i++) said.push(await line());
        return said;
      };
      expect(await line()).toBe("ready");
      const input = child.stdin as import("bun").FileSink;
      for (const [here, there] of [
        [root, "/root/watched"],
        [volume, "/volume/watched"],
      ] as const) {
        const told = (events: readonly string[]) => events.map((event) => `${there} ${event}`);
        for (const [change, ...events] of changes) {
          change((name) => join(here, "watched", name), join(here, "other"));
          expect(await lines(events.length)).toEqual(told(events));
        }
        for (const [script, ...events] of own) {
          input.write(`cd ${there} && ${script}\n`);
          await input.flush();
          expect((await lines(events.length + 1)).sort()).toEqual([...told(events), "done"].sort());
        }
      }

      // Who watches a file is told of it, and of its end.
      const itself = join(volume, "watched/itself");
      const both = (event: string) => [`/volume/watched ${event} itself`, `/volume/watched/itself ${event}`].sort();
      write(itself, "a");
      expect((await lines(4)).sort()).toEqual([...both("close_write"), ...both("modify")].sort());
      chmodSync(itself, 0o640);
      expect((await lines(2)).sort()).toEqual(both("attrib"));
      write(`${itself}.new`, "wx");
      const made = ["create", "modify", "close_write"].map((event) => `/volume/watched ${event} itself.new`);
      expect(await lines(3)).toEqual(made);
      renameSync(`${itself}.new`, itself);
      expect((await lines(4)).sort()).toEqual([
        "/volume/watched moved_from itself.new",
        "/volume/watched moved_to itself",
        "/volume/watched/itself attrib",
        "/volume/watched/itself delete_self",
      ]);
      write(single, "a");
      expect(await line()).toBe("/single modify");
      child.kill("SIGKILL");
      await child.exited;
      expect(await rig.runv(["delete", "--force", rig.id("watcher")])).toMatchObject({ code: 0, stderr: "" });
    });
  });
}
