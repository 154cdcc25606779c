/**
 * Root file systems for tests: made once, kept in a cache, and mounted under an overlay for each test, so that a test
 * may do with its own what it likes.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Architecture, architecture, imageNameOf } from "../../src/linux/syscalls";
import { copyBusybox, testArchitecture } from "./architecture";
import { command, output } from "./command";

/** "server" is Debian with nginx, and PostgreSQL with an empty database; "compiler" has a C compiler, git and Python. */
export type RootfsKind = "busybox" | "debian" | "server" | "compiler";

const cache = process.env.RUNV_TEST_CACHE ?? "/var/cache/runv/rootfs";

/** Mounts a fresh writable copy below `directory` and returns where. Unmounting and removing it is the caller's. */
export async function mountRootfs(kind: RootfsKind, directory: string, guests?: Architecture): Promise<string> {
  const lower = await cachedRootfs(kind, guests);
  const place = mkdtempSync(join(directory, `${kind}-`));
  const [root, upper, work] = ["root", "upper", "work"].map((name) => join(place, name)) as [string, string, string];
  for (const path of [root, upper, work]) mkdirSync(path);
  await command("mount", "-t", "overlay", "overlay", "-o", `lowerdir=${lower},upperdir=${upper},workdir=${work}`, root);
  return root;
}

const makers: Record<RootfsKind, (path: string, guests: Architecture) => Promise<void>> = {
  busybox: makeBusybox,
  debian: (path) => makeDebian(path, "python3"),
  server: makeServer,
  compiler: (path) => makeDebian(path, "gcc,libc6-dev,git,python3"),
};

/** The directory in the cache, made if need be; only a finished one ever has its name. */
export async function cachedRootfs(kind: RootfsKind, guests = testArchitecture()): Promise<string> {
  const path = join(cache, guests === architecture ? kind : `${kind}-${imageNameOf(guests)}`);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = mkdtempSync(`${path}.new-`);
  try {
    await makers[kind](join(unfinished, kind), guests);
    renameSync(join(unfinished, kind), path);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return path;
}

async function makeBusybox(path: string, guests: Architecture): Promise<void> {
  for (const name of [
    "bin",
    "dev",
    "etc",
    "home",
    "proc",
    "root",
    "sbin",
    "sys",
    "tmp",
    "usr/bin",
    "usr/sbin",
    "var",
  ]) {
    mkdirSync(join(path, name), { recursive: true });
  }
  await copyBusybox(guests, join(path, "bin/busybox"));
  // By this machine's own, which has the same applets.
  for (const applet of (await output("/bin/busybox", "--list-full")).trim().split("\n"))
    if (applet !== "bin/busybox") symlinkSync("/bin/busybox", join(path, applet));
  await command("chmod", "1777", join(path, "tmp"));
  await Bun.write(
    join(path, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n",
  );
  await Bun.write(join(path, "etc/group"), "root:x:0:\ndaemon:x:1:\n");
}

/** Debian's minimal system (which has perl) with further packages, from wherever this machine's apt takes its packages. */
async function makeDebian(path: string, packages: string): Promise<void> {
  const release = "$(CODENAME)\t$(REPO_URI)\t$(COMPONENT)\t$(CREATED_BY)";
  const targets = await output("apt-get", "indextargets", "--format", release);
  const fields = targets.split("\n").map((line) => line.split("\t"));
  const main = fields.find(
    ([suite, , component, by]) => component === "main" && by === "Packages" && /^\w+$/.test(suite!),
  );
  if (main === undefined) throw new Error("apt has no source of Debian's main packages");
  const [suite, mirror] = main as [string, string];
  await command("debootstrap", "--variant=minbase", `--include=${packages}`, suite, path, mirror);
}

async function makeServer(path: string): Promise<void> {
  await makeDebian(path, "nginx-light,postgresql");
  // The cluster that Debian's package makes wants passwords.
  const again = "v=$(ls /usr/lib/postgresql); pg_dropcluster $v main; pg_createcluster --locale C $v main -- -A trust";
  await command("chroot", path, "sh", "-ec", again);
}
