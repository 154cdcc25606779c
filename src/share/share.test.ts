/** The share against whoever serves it: only root can make one, and each test does so in a process of its own, for it enters a mount namespace. */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { placesIn } from "./seal";

const isRoot = process.getuid?.() === 0;

/** Runs a script with a share at `share`, and canaries beside it. @returns what it prints, as lines */
function inShare(script: string): string[] {
  const directory = mkdtempSync(join(tmpdir(), "runv-share-"));
  mkdirSync(`${directory}/canary`);
  writeFileSync(`${directory}/canary/file`, "alive");
  writeFileSync(
    `${directory}/script.ts`,
    `
import * as fs from "node:fs";
import { Share } from "${import.meta.dir}/share";
import { emptyTree, openTree, restrictTree, unchanged } from "${import.meta.dir}/tree";
import { SystemError, syscall } from "${import.meta.dir}/../linux/local";
const directory = ${JSON.stringify(directory)};
const say = (...words) => console.log(...words);
const attempt = (action) => { try { action(); return "done"; } catch (e) { return e.code ?? e.message; } };
const share = new Share(directory + "/share");
const served = directory + "/share";
${script}
share.close();
say("left", fs.readdirSync(served).length, fs.readFileSync(directory + "/canary/file", "utf8"));
`,
  );
  try {
    const { stdout, stderr } = Bun.spawnSync([process.execPath, `${directory}/script.ts`]);
    expect(stderr.toString()).toBe("");
    return stdout.toString().trimEnd().split("\n");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test.skipIf(!isRoot)(
  "who serves the share makes, removes and replaces nothing at its top, and writes into what is attached",
  () => {
    const said = inShare(`
const tree = emptyTree();
restrictTree(tree, unchanged);
share.attach(tree, "one/rootfs", true);
say("make", attempt(() => fs.mkdirSync(served + "/two")));
say("link", attempt(() => fs.symlinkSync(directory + "/canary", served + "/two")));
say("beside", attempt(() => fs.symlinkSync(directory + "/canary/file", served + "/one/3")));
say("replace", attempt(() => fs.renameSync(served + "/one", served + "/gone")));
say("inside", attempt(() => fs.writeFileSync(served + "/one/rootfs/file", "x")));
say("twice", attempt(() => share.attach(emptyTree(), "one/rootfs", true)));
say("no tree", attempt(() => share.attach(fs.openSync("/dev/null", "r"), "one/4", true)), fs.readdirSync(served + "/one").join());
for (const path of ["../x", "one", "one/../..", "/etc/x", "one/a/b"]) say(path, attempt(() => share.attach(tree, path, true)));
share.detach("one");
say("detached", fs.readdirSync(served).join(), attempt(() => share.detach("one")));
`);
    expect(said).toEqual([
      "make EROFS",
      "link EROFS",
      "beside EROFS",
      "replace EROFS",
      "inside done",
      "twice EEXIST",
      "no tree EINVAL rootfs",
      ...["../x", "one", "one/../..", "/etc/x", "one/a/b"].map((path) => `${path} no place in a share: ${path}`),
      "detached  done",
      "left 0 alive",
    ]);
  },
);

test.skipIf(!isRoot)(
  "links that got into the top all the same are not followed, neither to attach nor to detach",
  () => {
    // As if somebody had been given more than whoever serves it is: a mount of the share's file system that can be written to.
    const said = inShare(`
const top = directory + "/canary/other";
fs.mkdirSync(top);
syscall("mount", served, top, 0, 4096, 0);
syscall("mount", "none", top, 0, 32 | 4096, 0);
fs.symlinkSync(directory + "/canary", top + "/linked");
say("attach", attempt(() => share.attach(emptyTree(), "linked/x", true)));
say("detach", attempt(() => share.detach("linked")));
fs.mkdirSync(top + "/mine");
fs.symlinkSync(directory + "/canary/file", top + "/mine/1");
say("file", attempt(() => share.attach(openTree(fs.openSync(directory + "/canary/file", "r"), false), "mine/1", false)));
say("gone", attempt(() => share.detach("mine")), fs.readdirSync(top).join());
syscall("umount2", top, 2);
fs.rmdirSync(top);
`);
    expect(said).toEqual(["attach ENOTDIR", "detach ENOTDIR", "file EEXIST", "gone done linked", "left 0 alive"]);
  },
);

test.skipIf(!isRoot)("read-only is what is attached so, the root alone or all of it, and what is sealed", () => {
  const said = inShare(`
const source = directory + "/source";
fs.mkdirSync(source + "/below", { recursive: true });
syscall("mount", "below", source + "/below", "tmpfs", 0, 0);
const place = fs.openSync(source, "r");
const none = { set: 0, clear: 0 };
const ro = { set: 1, clear: 0 };
for (const [name, attributes] of [["plain", unchanged], ["root", { root: ro, all: none }], ["all", { root: none, all: ro }]]) {
  const tree = openTree(place, true);
  restrictTree(tree, attributes);
  share.attach(tree, "one/" + name, true);
  const top = served + "/one/" + name;
  say(name, attempt(() => fs.writeFileSync(top + "/x", "")), attempt(() => fs.writeFileSync(top + "/below/x", "")));
}
share.seal("one/plain");
say("sealed", attempt(() => fs.writeFileSync(served + "/one/plain/y", "")), attempt(() => fs.writeFileSync(source + "/y", "")));
share.detach("one");
say("host", fs.readdirSync(source + "/below").join());
syscall("umount2", source + "/below", 2);
`);
  expect(said).toEqual([
    "plain done done",
    "root EROFS done",
    "all EROFS EROFS",
    "sealed EROFS done",
    "host x",
    "left 0 alive",
  ]);
});

test.skipIf(!isRoot)(
  "what is mounted later arrives in what is attached, unless its root or all of it is isolated",
  () => {
    const said = inShare(`
const source = directory + "/source";
fs.mkdirSync(source);
const mount = (place) => syscall("mount", "none", place, "tmpfs", 0, 0);
mount(source);
fs.mkdirSync(source + "/below");
fs.mkdirSync(source + "/later");
mount(source + "/below");
fs.mkdirSync(source + "/below/later");
syscall("mount", "none", source, 0, 0x100000 | 16384, 0);
const place = fs.openSync(source, "r");
const kinds = { plain: unchanged, root: { ...unchanged, isolated: "root" }, all: { ...unchanged, isolated: "all" } };
for (const [name, attributes] of Object.entries(kinds)) {
  const tree = openTree(place, true);
  restrictTree(tree, attributes);
  share.attach(tree, "one/" + name, true);
}
for (const later of ["/later", "/below/later"]) {
  mount(source + later);
  fs.writeFileSync(source + later + "/x", "");
}
for (const name of Object.keys(kinds)) {
  const top = served + "/one/" + name;
  say(name, fs.readdirSync(top + "/later").length, fs.readdirSync(top + "/below/later").length);
}
share.detach("one");
say("host", fs.readdirSync(source + "/later").join());
syscall("umount2", source, 2);
`);
    expect(said).toEqual(["plain 1 1", "root 0 1", "all 0 0", "host x", "left 0 alive"]);
  },
);

test("where a tree is in a mount namespace: on the share's own mount, and nowhere else", () => {
  const line = (id: number, parent: number, device: string, point: string) =>
    `${id} ${parent} ${device} / ${point} rw - x x x`;
  const mountinfo = [
    line(1, 0, "0:1", "/"),
    line(2, 1, "0:9", "/share"),
    line(3, 2, "0:5", "/share/c1/rootfs"),
    line(4, 3, "0:6", "/share/c1/rootfs/c1/rootfs"),
    line(5, 1, "0:5", "/c1/rootfs"),
  ].join("\n");
  expect(placesIn(mountinfo, "0:9", "c1/rootfs")).toEqual(["/share/c1/rootfs"]);
  expect(placesIn(mountinfo, "0:8", "c1/rootfs")).toEqual([]);
  const own = [line(2, 1, "0:9", "/"), line(3, 2, "0:5", "/c1/rootfs")].join("\n");
  expect(placesIn(own, "0:9", "c1/rootfs")).toEqual(["/c1/rootfs"]);
});
