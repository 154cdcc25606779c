/** ps(1) of the host, shown the /proc of a guest. */
import { closeSync, existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Subprocess } from "bun";
import { RunvError } from "../base/error";
import type { ProcSnapshot } from "../guest/processes";
import { readInit } from "../image/init-binary";
import { AT_FDCWD, CLONE_NEWNS, MS_SLAVE, O_CLOEXEC, O_CREAT, O_PATH, O_WRONLY } from "../linux/constants";
import { memoryFile } from "../linux/memory-file";
import { Assembler } from "../program/assembler";
import { close } from "../program/files";
import type { Program } from "../program/program";

/** Where ps(1) is looked for: callers may have no PATH. */
const places = ["/bin/ps", "/usr/bin/ps"];
/** The descriptor from which init reads the program. */
const programDescriptor = 3;

/**
 * Runs ps(1) on a snapshot.
 * @returns what it prints
 * @throws RunvError PS_FAILED with what it says on standard error
 */
export async function runPs(snapshot: ProcSnapshot, args: readonly string[]): Promise<string> {
  const init = memoryFile("runv-init", readInit());
  const program = memoryFile("runv-ps", psProgram(snapshot, args).bytes);
  try {
    const ps = Bun.spawn([`/proc/${process.pid}/fd/${init}`, "--exec", String(programDescriptor)], {
      stdio: ["ignore", "pipe", "pipe", program],
      cwd: "/",
    });
    return await tableOf(ps, args);
  } finally {
    closeSync(program);
    closeSync(init);
  }
}

/**
 * Runs ps(1) on the host itself.
 * @returns what it prints
 * @throws RunvError PS_FAILED
 */
export async function runHostPs(args: readonly string[]): Promise<string> {
  const program = places.find((place) => existsSync(place)) ?? "ps";
  return await tableOf(Bun.spawn([program, ...args], { stdio: ["ignore", "pipe", "pipe"], cwd: "/" }), args);
}

async function tableOf(ps: Subprocess<"ignore", "pipe", "pipe">, args: readonly string[]): Promise<string> {
  const [table, stderr] = await Promise.all([new Response(ps.stdout).text(), new Response(ps.stderr).text()]);
  if ((await ps.exited) === 0) return table;
  throw new RunvError("PS_FAILED", `run ps ${args.join(" ")}: ${stderr.trim() || `exit status ${ps.exitCode}`}`, {
    hint: "it takes the options of ps(1); Debian's package procps has it",
  });
}

/** Mounts the snapshot on /proc, in a mount namespace of its own, and becomes ps(1). */
function psProgram(snapshot: ProcSnapshot, args: readonly string[]): Program {
  const p = new Assembler();
  p.doing("show ps the guest's processes");
  p.syscall("unshare", [CLONE_NEWNS]);
  // Nothing else is mounted there; and in a chroot "/" need not be a mount.
  p.syscall("mount", [0, p.text("/proc"), 0, MS_SLAVE, 0]);
  p.syscall("mount", [p.text("proc"), p.text("/proc"), p.text("tmpfs"), 0, p.text("mode=755,size=64m")]);
  const made = new Set(["/proc"]);
  for (const [path, content] of [...snapshot, ...selfFiles(snapshot)]) {
    makeDirectories(p, dirname(`/proc/${path}`), made);
    const file = p.value("openat", [AT_FDCWD, p.text(`/proc/${path}`), O_WRONLY | O_CREAT | O_CLOEXEC, 0o444]);
    p.syscall("write", [file, p.bytes(content), content.length]);
    close(p, file);
  }
  lookLikeSelf(p);
  for (const place of places) {
    p.doing(`execute ${place}`);
    const accept = place === places.at(-1) ? {} : { accept: ["ENOENT"] as const };
    p.syscall("execve", [p.text(place), p.vector(["ps", ...args]), p.vector(["LC_ALL=C"])], accept);
  }
  return p.assemble();
}

function makeDirectories(p: Assembler, directory: string, made: Set<string>): void {
  if (made.has(directory)) return;
  makeDirectories(p, dirname(directory), made);
  p.syscall("mkdirat", [AT_FDCWD, p.text(directory), 0o555]);
  made.add(directory);
}

/** ps(1) looks itself up first, by its own id and as `self`. It finds this: a copy of some process, with the id 0. */
const self = "0";

function selfFiles(snapshot: ProcSnapshot): ProcSnapshot {
  const files: ProcSnapshot = new Map();
  const [first] = [...snapshot.keys()].flatMap((path) => /^(\d+)\/stat$/.exec(path)?.[1] ?? []);
  for (const name of ["stat", "status"]) {
    const text = Buffer.from(snapshot.get(`${first}/${name}`) ?? "").toString("latin1");
    const changed = text.replace(/^\d+ /, `${self} `).replace(/^(Tgid|Pid):\t\d+$/gm, `$1:\t${self}`);
    files.set(`${self}/${name}`, Buffer.from(changed, "latin1"));
  }
  return files;
}

function lookLikeSelf(p: Assembler): void {
  const proc = p.value("openat", [AT_FDCWD, p.text("/proc"), O_PATH | O_CLOEXEC]);
  const name = p.zeroed(24);
  p.release(p.decimal(name, p.value("getpid", [])));
  for (const path of [p.text("self"), name]) p.syscall("symlinkat", [p.text(self), proc, path], { accept: ["EEXIST"] });
  close(p, proc);
}
