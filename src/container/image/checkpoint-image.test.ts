import { afterAll, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { begun, type Description, Image, NewImage } from "./checkpoint-image";

const scratch = mkdtempSync("/tmp/runv-image-");
afterAll(() => rmSync(scratch, { recursive: true }));

const container = {
  ...{ id: "c", ociVersion: "1.0.0", bundle: "/b", rootfs: "/b/rootfs", created: "", owner: "root", annotations: {} },
  ...{ phase: "running", paused: false, creator: { pid: 1, startTime: 1 }, byDaemon: false, sandbox: "s", cgroup: [] },
  ...{ process: {}, namespaces: [], settings: {}, hooks: {} },
};

/** Makes an image with one file. */
async function make(directory: string, text: string): Promise<void> {
  const image = new NewImage(directory);
  const { name, fd } = image.add("memory");
  writeSync(fd, text);
  const described = { container, config: {}, machine: {}, disks: [], memory: name, devices: name, runv: "1" };
  image.commit({ ...begun(), ...described, files: await image.files() } as unknown as Description);
}

const read = async (directory: string): Promise<string> => {
  const image = new Image(directory);
  const [fd] = (await image.open()).values();
  const text = readFileSync(fd!, "utf8");
  closeSync(fd!);
  return text;
};

test("an image takes the place of another, and of what was left of none", async () => {
  const directory = join(scratch, "a/b");
  await make(directory, "one");
  expect(await read(directory)).toBe("one");
  writeFileSync(join(directory, "runv-memory-00000000"), "left");
  writeFileSync(join(directory, "mine"), "kept");
  await make(directory, "two");
  expect(await read(directory)).toBe("two");
  expect(readdirSync(directory).filter((name) => !name.startsWith("runv-memory-"))).toEqual([
    "checkpoint.json",
    "mine",
  ]);
  expect(readdirSync(directory).length).toBe(3);
});

test("of one that is given up nothing is left, and what was there is there", async () => {
  const directory = join(scratch, "given-up");
  const image = new NewImage(join(directory, "deep"));
  image.add("memory");
  image.discard();
  expect(existsSync(directory)).toBeFalse();
  await make(directory, "before");
  const next = new NewImage(directory);
  next.add("memory");
  next.discard();
  expect(await read(directory)).toBe("before");
});

test("what was changed is not taken", async () => {
  const directory = join(scratch, "changed");
  await make(directory, "good");
  const [name] = readdirSync(directory).filter((file) => file.startsWith("runv-"));
  const path = join(directory, name!);
  const description = join(directory, "checkpoint.json");
  const good = readFileSync(description, "utf8");
  const thrown = async () => {
    try {
      await read(directory);
      return undefined;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  for (const text of ["goad", "goods", ""]) {
    writeFileSync(path, text);
    expect(await thrown()).toBe("CHECKPOINT_DAMAGED");
  }
  writeFileSync(path, "good");
  expect(await thrown()).toBeUndefined();
  for (const text of ["", "[]", good.slice(0, -20), good.replace('"rootfs"', '"rootfz"'), good.replace('"s"', '"t"')]) {
    writeFileSync(description, text);
    expect(await thrown()).toBe("CHECKPOINT_DAMAGED");
  }
  writeFileSync(description, good.replace('"version": 1', '"version": 2'));
  expect(await thrown()).toBe("CHECKPOINT_DIFFERS");
  rmSync(path);
  writeFileSync(description, good);
  expect(await thrown()).toBe("CHECKPOINT_MISSING");
  mkdirSync(join(scratch, "nothing"));
  expect(() => new Image(join(scratch, "nothing"))).toThrow("checkpoint.json: not found");
});
