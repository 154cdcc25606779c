import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { TreeCopies } from "./copy-tree";

let directory = "";
let copies: TreeCopies;
const from = () => `${directory}/from`;
const targets = () => ["one", "two"].map((name) => `${directory}/${name}`);

beforeEach(() => {
  directory = mkdtempSync("/tmp/runv-copy-");
  for (const path of [from(), ...targets()]) mkdirSync(path);
  mkdirSync(`${from()}/d/e`, { recursive: true });
  writeFileSync(`${from()}/d/f`, "content");
  linkSync(`${from()}/d/f`, `${from()}/again`);
  symlinkSync("/nowhere", `${from()}/link`);
  writeFileSync(`${from()}/sparse`, "");
  truncateSync(`${from()}/sparse`, 1 << 24);
  writeFileSync(Buffer.from(`${from()}/a\xffb`, "latin1"), "no UTF-8");
  chmodSync(`${from()}/d/f`, 0o4711);
  utimesSync(`${from()}/d`, 1, 2);
  const fd = openSync(from(), "r");
  copies = new TreeCopies(fd, targets());
  closeSync(fd);
});

afterEach(() => {
  copies.close();
  rmSync(directory, { recursive: true, force: true });
});

/** All that is in a tree, with what counts of it. */
function listed(path: string): unknown[] {
  return readdirSync(path, { recursive: true, encoding: "latin1" })
    .sort()
    .map((name) => {
      const file = Buffer.from(`${path}/${name}`, "latin1");
      const stat = lstatSync(file);
      const { mode, uid, gid, mtimeMs, nlink } = stat;
      const content = stat.isFile() ? Bun.hash(readFileSync(file)) : stat.isSymbolicLink() ? readlinkSync(file) : "";
      return { name, mode, uid, gid, mtimeMs, content, nlink };
    });
}

test("copies are as the tree is: links, modes, times, holes, any names", () => {
  copies.sync();
  for (const path of targets()) {
    expect(listed(path)).toEqual(listed(from()));
    expect(lstatSync(`${path}/sparse`).blocks).toBe(0);
    expect(lstatSync(`${path}/d/f`).ino).toBe(lstatSync(`${path}/again`).ino);
  }
});

test("what has changed since is copied, whatever it is", () => {
  copies.sync();
  appendFileSync(`${from()}/d/f`, ", and more");
  linkSync(`${from()}/d/f`, `${from()}/d/e/third`);
  rmSync(`${from()}/sparse`);
  mkdirSync(`${from()}/sparse`);
  writeFileSync(`${from()}/sparse/new`, "new");
  renameSync(`${from()}/link`, `${from()}/moved`);
  rmSync(`${from()}/again`);
  copies.sync();
  for (const path of targets()) expect(listed(path)).toEqual(listed(from()));
});

test("what has not changed since is not touched", async () => {
  await Bun.sleep(50);
  copies.sync();
  const inode = lstatSync(`${directory}/one/d/f`).ino;
  copies.sync();
  expect(lstatSync(`${directory}/one/d/f`).ino).toBe(inode);
});

test("a link in the tree is copied, and leads the copy nowhere", () => {
  mkdirSync(`${directory}/outside`);
  copies.sync();
  rmSync(`${from()}/d`, { recursive: true });
  symlinkSync(`${directory}/outside`, `${from()}/d`);
  copies.sync();
  expect(readdirSync(`${directory}/outside`)).toEqual([]);
  expect(readlinkSync(`${directory}/one/d`)).toBe(`${directory}/outside`);
});

test("what comes, goes and becomes something else meanwhile fails nothing, and is right the second time", async () => {
  const churn =
    "while [ ! -e ../enough ]; do echo x > f; rm f; mkdir f; rmdir f; ln -s /nowhere f; rm f; mkfifo f; rm f; done";
  for (let round = 0; round < 5; round++) {
    const busy = Bun.spawn(["sh", "-c", churn], { cwd: from(), stdout: "ignore", stderr: "ignore" });
    // What is copied takes a while, so that much happens in it.
    for (let i = 0; i < 50; i++) writeFileSync(`${from()}/${round}-${i}`, "content");
    const fd = openSync(from(), "r");
    const own = new TreeCopies(fd, targets());
    closeSync(fd);
    own.sync();
    writeFileSync(`${directory}/enough`, "");
    await busy.exited;
    rmSync(`${directory}/enough`);
    rmSync(`${from()}/f`, { recursive: true, force: true });
    writeFileSync(`${from()}/f`, "at last");
    own.sync();
    own.close();
    for (const to of targets()) {
      expect(readdirSync(to).sort()).toEqual(readdirSync(from()).sort());
      expect(readFileSync(`${to}/f`, "utf8")).toBe("at last");
      rmSync(to, { recursive: true });
      mkdirSync(to);
    }
  }
});
