/**
 * What people do with files, over each share: a root file system of Debian with a C compiler, git and Python, on an overlay as clients mount it. Each step is
 * timed by the container itself. What is done "again" finds what the machine has kept.
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/base/error";
import { findVirtiofsd } from "../../src/hypervisor/virtiofsd";
import { command } from "../../tests/support/command";
import { mountRootfs } from "../../tests/support/rootfs";
import { ask } from "../command";
import { idle, theOne, withContainers } from "../containers";
import { figure, type Samples } from "../result";
import type { Rig } from "../rig";
import { type Runtime, variant } from "../runtimes";
import type { Measure } from "./index";

const memory = ["--default_memory", "512"];
const headers = "/usr/include/linux";
const program = ["stdio", "stdlib", "string", "unistd", "errno"].map((name) => `#include <${name}.h>\\n`).join("");

/**
 * In this order, in bash, in a directory that is the contender's own; `$FROM` are Linux's headers. What needs more of the root file system than those is
 * not done in memory.
 */
const steps = [
  ["python", "python3: json, http.client, sqlite3, asyncio", 'python3 -c "import json, http.client, sqlite3, asyncio"'],
  ["gcc", "gcc -c of a file with five headers", `printf '${program}int main(){}' >a.c; gcc -c a.c`],
  ["find", "find with sizes", "find $FROM -printf '%s\\n' >/dev/null"],
  ["tar", "tar", "tar -cf - $FROM 2>/dev/null | cat >/dev/null"],
  ["cp", "cp -r", "cp -r $FROM copy"],
  ["git", "git init, add, commit", "git init -q . && git add copy && git -c user.name=a -c user.email=a commit -qm a"],
  ["rm", "rm -r of those and .git", "rm -r copy .git"],
  ["write", "writing 64 MiB", "dd if=/dev/zero of=large bs=1M count=64 2>/dev/null"],
  ["read", "reading them", "dd if=large of=/dev/null bs=1M 2>/dev/null"],
] as const;
const twice: readonly string[] = ["python", "gcc", "find", "tar"];
const wholeRoot: readonly string[] = ["python", "gcc"];

export const measureJobs: Measure = async (rig) => {
  const rootfs = await mountRootfs("compiler", rig.directory);
  try {
    const runtimes = contenders(rig);
    const path = jobsBundle(rig, rootfs);
    const samples = new Map<string, Samples>();
    for (let round = 0; round < (rig.quick ? 1 : 3); round++) {
      await withContainers(
        rig,
        runtimes,
        async () => doAll(runtimes, samples, round),
        () => path,
      );
    }
    return Object.fromEntries([...samples].map(([title, of]) => [`jobs: ${title}`, figure(title, "s", of)]));
  } finally {
    await command("umount", rootfs);
  }
};

function doAll(runtimes: readonly Runtime[], samples: Map<string, Samples>, round: number): void {
  for (const runtime of runtimes.filter(({ name }) => name === "tmpfs")) {
    inside(runtime, round, `cp -r ${headers} /ram/linux`);
  }
  for (const [step, title, script] of steps) {
    const times = twice.includes(step) ? [`${title}, first`, `${title}, again`] : [title];
    for (const each of times) {
      const of = samples.get(each) ?? {};
      samples.set(each, of);
      for (const runtime of runtimes) {
        if (runtime.name === "tmpfs" && wholeRoot.includes(step)) continue;
        of[runtime.name] = [...(of[runtime.name] ?? []), inside(runtime, round, script)];
      }
    }
  }
}

/** Does something in a contender's container. @returns how long it took there, in seconds */
function inside(runtime: Runtime, round: number, script: string): number {
  const [place, from] = runtime.name === "tmpfs" ? ["/ram", "/ram/linux"] : [`/jobs-${runtime.name}-${round}`, headers];
  const timed = `mkdir -p ${place} && cd ${place} || exit 1; FROM=${from}; s=$EPOCHREALTIME; { ${script}; } || exit 1; echo "$EPOCHREALTIME - $s" | sed 's/[.]//g'`;
  const [end = 0, start = 0] = ask(runtime.words("exec", theOne(runtime), "bash", "-c", timed))
    .split(" - ")
    .map(Number);
  return (end - start) / 1e6;
}

/** runc, and runv by each share; in memory the same as by default, on a tmpfs. */
function contenders({ runtimes, notes }: Rig): Runtime[] {
  const runc = runtimes.filter(({ name }) => name === "runc");
  const cloned = runtimes.find(({ name }) => name === "cloned");
  if (cloned === undefined) return runc;
  const runv = [
    variant(cloned, "cloned", ...memory),
    variant(cloned, "loose", ...memory, "--share-cache", "loose"),
    variant(cloned, "fuse", ...memory, "--share", "fuse"),
    variant(cloned, "tmpfs", ...memory),
  ];
  try {
    findVirtiofsd(undefined);
    runv.push(variant(cloned, "virtiofs", ...memory, "--share", "virtiofs"));
  } catch (error) {
    notes.push(`virtiofs is not measured: ${messageOf(error)}`);
  }
  return [...runc, ...runv];
}

function jobsBundle({ directory, bundle }: Rig, rootfs: string): string {
  const path = join(directory, "bundle-jobs");
  cpSync(bundle(...idle), path, { recursive: true });
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
  config.root.path = rootfs;
  config.mounts.push({ destination: "/ram", type: "tmpfs", source: "tmpfs", options: ["mode=755"] });
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
}
