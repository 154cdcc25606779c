/** Where a task's standard streams go: FIFOs, a file (`file://`), or a program that logs (`binary://`). */
import { closeSync, mkdirSync, openSync, read } from "node:fs";
import { dirname } from "node:path";
import type { Subprocess } from "bun";
import { messageOf, RunvError } from "../base/error";
import type { Attended } from "../container/shim/attended";
import { AT_FDCWD, F_SETFL, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY, S_IFIFO } from "../linux/constants";
import { syscall } from "../linux/local";
import { atMost } from "../supervision/machine";

/** The streams that a request names. */
export interface StreamNames {
  stdin: string;
  stdout: string;
  stderr: string;
  terminal: boolean;
}

type StreamFiles = Pick<Attended, "stdin" | "stdout" | "stderr">;

export interface Streams {
  /** What the process's shim opens. */
  files: StreamFiles;
  /** To be called when it has, or never will; more than once is fine. */
  opened(): void;
  /** Waits until who takes the output has ended, and helps where it does not. */
  end(): Promise<void>;
}

/** Whose streams they are, as a program that logs is told. */
export interface StreamOwner {
  id: string;
  namespace: string;
  /** A directory of the process's own. */
  directory: string;
}

/** How long a program may take until it is ready to log. */
const readyTimeoutMs = 10_000;
/** How long it may take to end by itself, and then by SIGTERM. */
const [ownEndMs, toldEndMs] = [2_000, 10_000];

/** @throws RunvError STDIO */
export async function openStreams(names: StreamNames, owner: StreamOwner): Promise<Streams> {
  const [, scheme = "fifo"] = /^(\w+):\/\//.exec(names.stdout) ?? [];
  if (scheme === "fifo") return still(withTerminal(names, withoutScheme(names)));
  const uri = parse(names.stdout);
  if (scheme === "file") return still(withTerminal(names, openFile(names, uri)));
  if (scheme === "binary") return await startLogger(names, uri, owner);
  throw new RunvError("STDIO", `stdout ${names.stdout}: the schemes are fifo, file and binary`);
}

/** A terminal has one output. */
function withTerminal({ terminal }: StreamNames, files: StreamFiles): StreamFiles {
  return terminal ? { ...files, stderr: "" } : files;
}

function withoutScheme({ stdin, stdout, stderr }: StreamNames): StreamFiles {
  const plain = (name: string) => name.replace(/^fifo:\/\//, "");
  return { stdin, stdout: plain(stdout), stderr: plain(stderr) };
}

function still(files: StreamFiles): Streams {
  return { files, opened: () => {}, end: async () => {} };
}

function parse(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new RunvError("STDIO", `stdout ${text}: ${messageOf(cause)}`, { cause });
  }
}

/** Both outputs go to the end of one file, as with runc's shim. */
function openFile({ stdin }: StreamNames, { pathname }: URL): StreamFiles {
  const path = decodeURIComponent(pathname);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    closeSync(openSync(path, "a", 0o644));
  } catch (cause) {
    throw new RunvError("STDIO", `open ${path}: ${messageOf(cause)}`, { cause });
  }
  return { stdin, stdout: path, stderr: path };
}

/** It reads standard output from descriptor 3 and standard error from 4, and closes 5 when it is ready. */
async function startLogger(names: StreamNames, uri: URL, { id, namespace, directory }: StreamOwner): Promise<Streams> {
  const path = decodeURIComponent(uri.pathname);
  const [stdout, stderr, ready] = ["stdout", "stderr", "ready"].map((name) => makePipe(`${directory}/${name}`)) as [
    Pipe,
    Pipe,
    Pipe,
  ];
  let child: Subprocess;
  try {
    child = Bun.spawn([path, ...argumentsOf(uri)], {
      stdio: ["ignore", "ignore", "ignore", stdout.reader, stderr.reader, ready.writer],
      env: { CONTAINER_ID: id, CONTAINER_NAMESPACE: namespace },
    });
  } catch (cause) {
    for (const pipe of [stdout, stderr, ready]) for (const fd of [pipe.reader, pipe.writer]) closeSync(fd);
    throw new RunvError("STDIO", `start ${path}: ${messageOf(cause)}`, { cause });
  }
  for (const fd of [stdout.reader, stderr.reader, ready.writer]) closeSync(fd);
  const timer = setTimeout(() => child.kill("SIGKILL"), readyTimeoutMs);
  await firstByteOrEnd(ready.reader);
  clearTimeout(timer);
  closeSync(ready.reader);
  const writers = [stdout.writer, stderr.writer];
  return {
    files: withTerminal(names, { stdin: names.stdin, stdout: stdout.path, stderr: stderr.path }),
    opened: () => {
      for (const writer of writers.splice(0)) closeSync(writer);
    },
    async end() {
      await atMost(ownEndMs, child.exited);
      child.kill("SIGTERM");
      await atMost(toldEndMs, child.exited);
      child.kill("SIGKILL");
    },
  };
}

/** As runc's shim has it: of each name the first value, be it empty. */
function argumentsOf({ searchParams }: URL): string[] {
  return [...new Set(searchParams.keys())].flatMap((name) => [name, searchParams.get(name) ?? ""]);
}

interface Pipe {
  path: string;
  reader: number;
  writer: number;
}

/** A pipe that has a name, by which others open it. */
function makePipe(path: string): Pipe {
  syscall("mknodat", AT_FDCWD, path, S_IFIFO | 0o600, 0);
  const reader = openSync(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const writer = openSync(path, O_WRONLY | O_CLOEXEC);
  syscall("fcntl", reader, F_SETFL, O_RDONLY);
  return { path, reader, writer };
}

function firstByteOrEnd(fd: number): Promise<void> {
  return new Promise((resolve) => read(fd, Buffer.alloc(1), 0, 1, null, () => resolve()));
}
