/** The contenders: how each is called, and why one cannot take part. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { Contender } from "./result";

export interface Runtime {
  name: Contender;
  /** The words of a command line: `words("run", "-b", BUNDLE, ID)`. */
  words(...args: string[]): string[];
  /** A container id that no other runtime has: their cgroups lie in the same place. */
  id(suffix: string): string;
  /** Where it keeps the state of its containers. */
  root: string;
  /** The first line of what it says to --version. */
  version: string;
}

/** Those that this machine has, and a note for each that it has not. */
export function makeRuntimes(directory: string, binary: string, image: string) {
  const notes: string[] = [];
  const make = (name: Contender, program: string, ...flags: string[]): Runtime[] => {
    const path = Bun.which(program);
    if (path === null) {
      notes.push(`${name} is not measured: there is no ${program} on this machine`);
      return [];
    }
    const root = join(directory, `root-${name}`);
    const start = [...(name === "crun" ? withoutUnified() : []), path, "--root", root, ...flags];
    return [
      {
        name,
        root,
        words: (...args) => [...start, ...args],
        id: (suffix) => `${basename(directory)}-${name}-${suffix}`,
        version: firstLine([path, "--version"]),
      },
    ];
  };
  const runv = ["--kernel", join(image, "kernel"), "--initrd", join(image, "hyper-initrd.img")];
  const cloning = ["--template", join(directory, "templates")];
  const [noPool, pool] = ["no-pool", "pool"].map((name) => ["--pool", join(directory, name)]) as [string[], string[]];
  const runtimes = [
    ...make("runc", "runc"),
    ...make("crun", "crun"),
    ...make("cold", binary, ...runv, "--no-template"),
    ...make("cloned", binary, ...runv, ...cloning, ...noPool),
    ...(hasPool(binary) ? make("pooled", binary, ...runv, ...cloning, ...pool) : []),
  ];
  if (!hasPool(binary)) notes.push("no pool is measured: this runv has no `runv pool`");
  if (runtimes.some(({ name }) => name === "crun") && hybrid)
    notes.push(
      "crun runs without /sys/fs/cgroup/unified; its figures include unshare(1) and umount(8), some milliseconds",
    );
  return { runtimes, notes };
}

/** The same runtime with more flags, as a contender of its own. */
export function variant(runtime: Runtime, name: Contender, ...flags: string[]): Runtime {
  return {
    ...runtime,
    name,
    words: (...args) => runtime.words(...flags, ...args),
    id: (suffix) => runtime.id(`${name}-${suffix}`),
  };
}

/** What environment a contender has: nobody's configuration file. */
export function environment(): Record<string, string> {
  return { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/", RUNV_CONFIG: "/dev/null" };
}

const unified = "/sys/fs/cgroup/unified";
const hybrid = existsSync(unified);

/** crun takes a hybrid layout for cgroup v2 and fails. */
function withoutUnified(): string[] {
  return hybrid ? ["unshare", "--mount", "sh", "-c", `umount ${unified} && exec "$@"`, "crun"] : [];
}

function hasPool(binary: string): boolean {
  return /^ {3}pool /m.test(Bun.spawnSync([binary, "--help"], { env: environment() }).stdout.toString());
}

function firstLine(words: string[]): string {
  return Bun.spawnSync(words, { env: environment() }).stdout.toString().split("\n")[0] ?? "";
}
