/** Large amounts through standard input and output, unharmed, and readers that stand still. RUNV_TEST_LARGE adds one GiB. */
import { expect } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, createReadStream } from "node:fs";
import { join } from "node:path";
import { makePipe } from "../src/linux/pipe";
import { sharedRig } from "./support/shared";

const runvTest = sharedRig(async (rig) => {
  const bundle = await rig.bundle({ args: ["sleep", "100000"] });
  expect(await rig.runv(["run", "-d", "-b", bundle, rig.id("main")])).toMatchObject({ code: 0 });
});

const MiB = 2 ** 20;
const sizes = [1, 16, 64, ...(process.env.RUNV_TEST_LARGE === undefined ? [] : [1024])];

/** Bytes that repeat only after a prime number of them: what is lost, doubled or swapped shows in their sum. */
const block = randomBytes(1_048_573);

function* blocks(total: number): Generator<Uint8Array> {
  for (let left = total; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length));
}

function sumOf(total: number): string {
  const hash = createHash("md5");
  for (const bytes of blocks(total)) hash.update(bytes);
  return hash.digest("hex");
}

function rate(what: string, total: number, start: number): void {
  const seconds = (performance.now() - start) / 1000;
  process.stderr.write(`${what}: ${total / MiB} MiB, ${(total / MiB / seconds).toFixed(1)} MB/s\n`);
}

for (const size of sizes) {
  const total = size * MiB;

  runvTest(`${size} MiB through stdin and back through stdout, with stderr between`, async ({ spawn, id }) => {
    const script = "(i=0; while [ $i -lt 200 ]; do echo mark >&2; usleep 2000; i=$((i+1)); done) & cat; wait";
    const start = performance.now();
    const child = spawn(["exec", id("main"), "sh", "-c", script], { input: "pipe", timeout: 240_000 });
    const stdin = child.stdin as unknown as Bun.FileSink;
    const feed = async () => {
      for (const bytes of blocks(total)) {
        stdin.write(bytes);
        await stdin.flush();
      }
      await stdin.end();
    };
    const hash = createHash("md5");
    let length = 0;
    const drain = async () => {
      for await (const chunk of child.stdout) {
        hash.update(chunk);
        length += chunk.length;
      }
    };
    const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited, feed(), drain()]);
    rate("there and back", total, start);
    expect({ code, length, sum: hash.digest("hex") }).toEqual({ code: 0, length: total, sum: sumOf(total) });
    expect(stderr).toBe("mark\n".repeat(200));
  });
}

runvTest("64 MiB in, summed inside", async ({ runv, id, directory }) => {
  const file = join(directory, "input");
  await Bun.write(file, new Blob([...blocks(64 * MiB)] as Uint8Array<ArrayBuffer>[]));
  const start = performance.now();
  const { stdout } = await runv(["exec", id("main"), "md5sum"], { input: Bun.file(file) });
  rate("in", 64 * MiB, start);
  expect(stdout).toBe(`${sumOf(64 * MiB)}  -\n`);
});

runvTest("a reader that stands still stalls its own stream and nothing else", async ({ command, runv, id }) => {
  const script =
    "(yes | head -c 16777216; echo end) & i=0; while [ $i -lt 50 ]; do echo line $i >&2; i=$((i+1)); done; wait";
  const [reading, writing] = makePipe();
  const words = command(["exec", id("main"), "sh", "-c", script]);
  const child = Bun.spawn(words, { stdin: "ignore", stdout: writing, stderr: "pipe" });
  closeSync(writing);
  const errors = new Response(child.stderr).text();
  // Nobody reads its standard output. Meanwhile others work, and it is not at its end.
  for (let i = 0; i < 5; i++) expect((await runv(["exec", id("main"), "echo", String(i)])).stdout).toBe(`${i}\n`);
  const bulk = await runv(["exec", id("main"), "sh", "-c", "yes | head -c 4194304"]);
  expect(bulk.stdout.length).toBe(4194304);
  expect(child.exitCode).toBeNull();
  let length = 0;
  for await (const chunk of createReadStream("", { fd: reading })) length += chunk.length;
  expect(length).toBe(16777216 + 4);
  expect(await errors).toContain("line 49\n");
  expect(await child.exited).toBe(0);
});

runvTest("a writer whose reader goes away is told so", async ({ spawn, id }) => {
  const child = spawn(["exec", id("main"), "sh", "-c", "trap '' PIPE; yes 2>/dev/null; echo gone >&2"]);
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  expect(await new Response(child.stderr).text()).toBe("gone\n");
});

runvTest("a process that does not read an endless stdin stalls its writer only", async ({ spawn, runv, id }) => {
  const child = spawn(["exec", id("main"), "sh", "-c", "echo up; exec sleep 1000"], { input: Bun.file("/dev/zero") });
  const reader = child.stdout.getReader();
  expect(Buffer.from((await reader.read()).value!).toString()).toBe("up\n");
  expect((await runv(["exec", id("main"), "echo", "works"])).stdout).toBe("works\n");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(143);
});
