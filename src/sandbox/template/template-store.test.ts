import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { until } from "../../../tests/support/until";
import { fingerprint, type Subject, type TemplateFiles } from "./template-description";
import { TemplateStore, templateKey } from "./template-store";

let directory: string;
let store: TemplateStore;
beforeEach(() => {
  directory = mkdtempSync("/tmp/runv-templates-");
  store = new TemplateStore(directory, 1);
});
afterEach(() => rmSync(directory, { recursive: true }));

const subject = { cpus: 1, memoryMiB: 128, network: "namespace" } as Subject;
const shape = (key: string) => ({ key, subject, sources: {} });

async function build({ memory, state, console }: TemplateFiles): Promise<string> {
  writeFileSync(memory, "memory");
  writeFileSync(state, "state");
  writeFileSync(console, "");
  return "notes";
}

test("what was made is found, with its notes", async () => {
  const made = await store.make(shape("k1"), build);
  expect(made?.notes).toBe("notes");
  expect(store.find("k1")).toEqual(made!);
  expect(readFileSync(made!.memory, "utf8")).toBe("memory");
  expect(store.find("k2")).toBeUndefined();
});

test("a template whose files were touched is dropped", async () => {
  for (const file of ["memory", "state"] as const) {
    const made = await store.make(shape("k1"), build);
    appendFileSync(made![file], "");
    appendFileSync(made![file], "x");
    expect(store.find("k1")).toBeUndefined();
    expect(existsSync(made!.directory)).toBe(false);
  }
});

test.skipIf(process.getuid?.() !== 0)(
  "a template in the lower layer of an overlay goes, too (only root mounts one)",
  async () => {
    const { exitCode } = Bun.spawnSync([
      "unshare",
      "-m",
      "sh",
      "-c",
      overlay,
      "sh",
      directory,
      process.execPath,
      import.meta.dir,
    ]);
    expect(exitCode).toBe(0);
  },
);

/** Makes a template's directory, puts an overlay over it, and drops it there. */
const overlay = `
cd "$1" && mkdir -p lower/templates/k1 top && touch lower/templates/k1/memory
mount -t tmpfs none top && mkdir top/upper top/work top/merged || exit 1
mount -t overlay overlay -o lowerdir=lower,upperdir=top/upper,workdir=top/work top/merged || exit 1
"$2" -e 'const { TemplateStore } = await import(process.argv[1] + "/template-store");
  process.exit(new TemplateStore(process.argv[2], 1).drop("k1") ? 0 : 3)' "$3" "$1/top/merged/templates" || exit 3
[ ! -e top/merged/templates/k1 ]`;

test("a template of another boot of the host is dropped, and so is half of one", async () => {
  const made = await store.make(shape("k1"), build);
  const path = `${made!.directory}/template.json`;
  const description = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...description, bootId: "another" }));
  expect(store.find("k1")).toBeUndefined();
  mkdirSync(`${directory}/k2`);
  expect(store.find("k2")).toBeUndefined();
});

test("nothing is left of one that failed, nor of a maker that was killed", async () => {
  mkdirSync(`${directory}/.new/deep`, { recursive: true });
  const failing = store.make(shape("k1"), async (files) => {
    writeFileSync(files.memory, "half");
    throw new Error("boot failed");
  });
  await expect(failing).rejects.toThrow("boot failed");
  expect(readdirSync(directory)).toEqual([".lock"]);
  expect(await store.make(shape("k1"), build)).toBeDefined();
});

test("while one is made nobody else makes one", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = store.make(shape("k1"), async (files) => {
    await promise;
    return await build(files);
  });
  expect(await store.make(shape("k1"), build)).toBeUndefined();
  resolve();
  expect(await first).toBeDefined();
});

test("another kernel, another key", () => {
  const shape = { kernel: ["/k", { ino: "1", size: "2", ctime: "3" }], cpus: 1 };
  expect(templateKey(shape)).toBe(templateKey(structuredClone(shape)));
  expect(templateKey({ ...shape, cpus: 2 })).not.toBe(templateKey(shape));
});

test("what it was made from has changed: it is stale, shown so, and collected", async () => {
  const source = `${directory}/.kernel`;
  writeFileSync(source, "one");
  await store.make({ ...shape("k1"), sources: { [source]: fingerprint(source) } }, build);
  await store.make(shape("k2"), build);
  writeFileSync(source, "another");
  mkdirSync(`${directory}/k3`);
  const shown = Object.fromEntries(store.list().map(({ key, status, subject }) => [key, [status, subject?.cpus]]));
  expect(shown).toEqual({ k1: ["stale", 1], k2: ["good", 1], k3: ["damaged", undefined] });
  expect((await store.collect()).map(({ key }) => key).sort()).toEqual(["k1", "k3"]);
  expect(store.list().map(({ key }) => key)).toEqual(["k2"]);
});

/** Waits until new files have a later time than those that are there: the clock of files goes in steps. */
async function laterFiles(): Promise<void> {
  const probe = `${directory}/.probe`;
  const touch = () => {
    writeFileSync(probe, "x");
    return statSync(probe).ctime.getTime();
  };
  const before = touch();
  await until("the clock of files goes on", () => touch() > before);
}

test("the oldest go when all together take too much", async () => {
  const large = async (files: TemplateFiles) => {
    await build(files);
    writeFileSync(files.memory, new Uint8Array(600 << 10));
  };
  await store.make(shape("k1"), large);
  await laterFiles();
  await store.make(shape("k2"), large);
  expect(store.list().map(({ key }) => key)).toEqual(["k2", "k1"]);
  await laterFiles();
  await store.make(shape("k3"), large);
  expect(store.list().map(({ key }) => key)).toEqual(["k3", "k2"]);
  expect((await store.collect()).map(({ key }) => key)).toEqual(["k2"]);
});

test("who waits for the turn finds what was made meanwhile", async () => {
  expect(await store.makeInTurn(shape("k1"), build)).toMatchObject({ made: true, template: { notes: "notes" } });
  expect(await store.makeInTurn(shape("k1"), build)).toMatchObject({ made: false, template: { notes: "notes" } });
});
