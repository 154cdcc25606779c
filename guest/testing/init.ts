/** An init for the tests of a file, built with the sanitizers, which end it where its C does what it must not. */
import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Assembler } from "../../src/program/assembler";
import type { ProgramHead } from "../../src/program/program";
import { patience } from "../../tests/support/patience";
import { type Channel, TestAgent } from "./agent";
import type { TestProcess } from "./process";
import { program } from "./programs";

let built: string | undefined;

/** Builds init, once for all files of a run of the tests. @returns its path */
export function initBinary(): string {
  if (built !== undefined) return built;
  const path = join(import.meta.dir, "../../dist/init-sanitized");
  // Another run may be executing the last one.
  const made = `${path}.${process.pid}`;
  const build = Bun.spawnSync([join(import.meta.dir, "../build"), "--sanitize", made]);
  if (!build.success) throw new Error(build.stderr.toString());
  renameSync(made, path);
  built = path;
  return path;
}

/** What `useInit` gives to a file's tests. */
interface InitInUse {
  init: TestAgent;
  /** Runs a program to its end. */
  run(write: (p: Assembler) => void, head?: ProgramHead): Promise<TestProcess>;
  /** A directory of this file's own. */
  directory: string;
}

/** Has an init serve the tests of a file. When it ends, the sanitizers say what it leaked, and that fails the file. */
export function useInit(): InitInUse {
  const init = new TestAgent();
  const directory = mkdtempSync(join(tmpdir(), "runv-init-"));
  let stop: () => Promise<number>;
  beforeAll(async () => {
    stop = await startInit(init);
  }, 120_000 * patience);
  afterAll(async () => {
    expect(await stop()).toBe(0);
    rmSync(directory, { recursive: true });
  });
  return { init, run: (write, head) => init.run(program(write, head)).end(), directory };
}

/** Starts an init that serves a socketpair, and waits for its hello. @returns what ends it, and tells its exit code */
async function startInit(agent: TestAgent): Promise<() => Promise<number>> {
  const child = Bun.spawn([initBinary(), "--fd", "3"], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    env: { ...process.env, ASAN_OPTIONS: "detect_leaks=1" },
  });
  const socket = await Bun.connect({ fd: child.stdio[3] as unknown as number, socket: agent.handlers } as never);
  agent.attach(socket as Channel);
  await agent.hello.promise;
  return () => {
    (socket as Bun.Socket).end();
    return child.exited;
  };
}
