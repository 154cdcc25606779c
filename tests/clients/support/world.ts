/**
 * A world of its own for real daemons: private mount, network and cgroup namespaces, in which /etc, /run and /var/lib are the rig's.
 * Everything in it is in cgroups of the rig's name, so that nothing gets lost whoever its parent has become.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { BunFile } from "bun";
import { directoryOf, hierarchies } from "../../../src/linux/cgroups";
import { marker } from "../../support/runv";
import { until } from "../../support/until";
import { runvBinary } from "./configuration";

/** What happens in the namespaces before anything else. The last line says that it is done. */
const setUp = `
set -e
mount --make-rshared /
mount -t sysfs none /sys
if [ -e "$1/version2" ]; then
  mount -t cgroup2 none /sys/fs/cgroup
  mkdir /sys/fs/cgroup/daemons
  echo $$ > /sys/fs/cgroup/daemons/cgroup.procs
  sed 's/ / +/g; s/^/+/' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
else
  mount -t tmpfs none /sys/fs/cgroup
  for name in $(cut -d: -f2 /proc/self/cgroup); do
    directory=/sys/fs/cgroup/\${name#name=}
    mkdir $directory
    case $name in name=*) name=none,$name ;; esac
    mount -t cgroup -o $name none $directory
  done
fi
mkdir "$1/private"
mount -t tmpfs none "$1/private"
mkdir "$1/private/runv"
mount --bind /var/lib/runv "$1/private/runv"
mkdir -p /opt
for path in /etc /var/lib /opt; do
  mkdir -p "$1/private/upper$path" "$1/private/work$path"
  mount -t overlay overlay -o "lowerdir=$path,upperdir=$1/private/upper$path,workdir=$1/private/work$path" $path
done
mkdir -p /var/lib/runv
mount --bind "$1/private/runv" /var/lib/runv
for path in /run /var/lib/docker /var/lib/containerd /var/lib/containers; do
  mkdir -p $path
  mount -t tmpfs none $path
done
mkdir -p /run/lock /run/netns /opt/cni/bin
# Where containerd 2 looks for them, whatever its configuration of version 2 says.
mount --bind /usr/lib/cni /opt/cni/bin
ip link set lo up
echo ready
exec sleep infinity
`;

export interface Outcome {
  code: number;
  /** Standard output, then standard error: they come by ways of their own, and which is first is chance. */
  output: string;
}

export class World {
  readonly directory = mkdtempSync("/tmp/runv-test-");
  readonly name = basename(this.directory);
  readonly #cgroups = hierarchies().map((hierarchy) => directoryOf(hierarchy, `/${this.name}`));
  readonly #enter = join(this.directory, "enter");
  /** Has the links to runv that are commands. */
  readonly #links = join(this.directory, "bin");

  /** Makes it. */
  async open(): Promise<void> {
    mkdirSync("/var/lib/runv", { recursive: true, mode: 0o700 });
    for (const [index, hierarchy] of hierarchies().entries()) {
      const path = this.#cgroups[index]!;
      mkdirSync(path);
      if (hierarchy.version === 2 && hierarchies().length === 1) writeFileSync(join(this.directory, "version2"), "");
      if (!hierarchy.controllers.includes("cpuset")) continue;
      for (const file of ["cpuset.cpus", "cpuset.mems"]) {
        writeFileSync(join(path, file), readFileSync(join(path, "..", file)));
      }
    }
    mkdirSync(this.#links);
    symlinkSync(realpathSync(runvBinary), join(this.#links, "containerd-shim-runv-v2"));
    const script = join(this.directory, "set-up");
    writeFileSync(script, setUp);
    const join_ = this.#cgroups.map((path) => `echo $$ > ${path}/cgroup.procs\n`).join("");
    writeFileSync(this.#enter, `#!/bin/sh\n${join_}exec "$@"\n`, { mode: 0o755 });
    const unshare = ["unshare", "-m", "-n", "-C", "--propagation", "private", "sh", script, this.directory];
    const holder = Bun.spawn([this.#enter, ...unshare], { env: this.#environment({}), stdout: "pipe", stderr: "pipe" });
    const { value } = await holder.stdout.getReader().read();
    if (Buffer.from(value ?? []).toString() !== "ready\n") throw new Error(await new Response(holder.stderr).text());
    const enter = `exec nsenter -t ${holder.pid} -m -n -C -- "$@"\n`;
    writeFileSync(this.#enter, `#!/bin/sh\n${join_}${enter}`, { mode: 0o755 });
  }

  /** Starts a program in it, whose output goes to a file. @returns its process */
  start(words: readonly string[], log: string) {
    const output = Bun.file(log);
    return Bun.spawn([this.#enter, ...words], {
      env: this.#environment({}),
      stdin: "ignore",
      stdout: output,
      stderr: output,
    });
  }

  /** Runs a shell script in it, to its end; what it has to say comes by files, for what it leaves behind keeps them open. */
  async run(script: string, env: Record<string, string> = {}, timeout = 60_000): Promise<Outcome> {
    const logs = mkdtempSync(join(this.directory, "run-"));
    const [stdout, stderr] = ["stdout", "stderr"].map((name) => Bun.file(join(logs, name))) as [BunFile, BunFile];
    const words = ["timeout", "-s", "KILL", `${timeout / 1000}`, this.#enter, "sh", "-c", script];
    const child = Bun.spawn(words, { env: this.#environment(env), stdin: "ignore", stdout, stderr });
    const code = await child.exited;
    return { code, output: (await stdout.text()) + (await stderr.text()) };
  }

  /** The same, of a script that must succeed. @returns what it said */
  async must(script: string, env: Record<string, string> = {}, timeout?: number): Promise<string> {
    const { code, output } = await this.run(script, env, timeout);
    if (code !== 0) throw new Error(`${script}: exit code ${code}\n${output}`);
    return output;
  }

  /** The processes in it, but for those of templates, which are to stay for a while. */
  processes(): number[] {
    return this.#all().filter((pid) => !isTemplates(pid) && !isTemplates(parentOf(pid)));
  }

  /** Waits until there are no more than so many processes in it. @throws an error that names those that there are */
  async ended(what: string, most: number): Promise<void> {
    const failed = (error: unknown) => {
      const left = this.processes().map((pid) => `\n${pid} (child of ${parentOf(pid)}): ${commandOf(pid)}`);
      throw new Error(`${(error as Error).message}; there are${left.join("")}`);
    };
    await until(what, () => this.processes().length <= most, 30_000).catch(failed);
  }

  #all(): number[] {
    return this.#below().flatMap((path) =>
      readFileSync(join(path, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number),
    );
  }

  /** Ends what is in it, and it. */
  async close(): Promise<void> {
    await until("the rig's processes end", () => {
      const left = this.#all();
      for (const pid of left) kill(pid);
      return left.length === 0;
    });
    for (const path of this.#cgroups.flatMap((top) => directoriesBelow(top).reverse())) rmdirSync(path);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #below(): string[] {
    return directoriesBelow(this.#cgroups[0]!);
  }

  #environment(env: Record<string, string>): Record<string, string> {
    const { PATH = "/usr/sbin:/usr/bin:/sbin:/bin" } = process.env;
    // Clients call runtimes by name: runv is wherever it was built.
    return {
      PATH: `${this.#links}:${dirname(runvBinary)}:${PATH}:/usr/sbin:/sbin`,
      HOME: this.directory,
      LANG: "C.UTF-8",
      [marker]: this.name,
      // Rules of nftables do not let through what those of Docker drop, which are of iptables.
      NETAVARK_FW: "iptables",
      // What podman 5 says of this machine's cgroups, and not of runtimes.
      PODMAN_IGNORE_CGROUPSV1_WARNING: "1",
      ...env,
    };
  }
}

/** A directory and all below it, outer ones first. */
function directoriesBelow(path: string): string[] {
  const inner = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [path, ...inner.flatMap(({ name }) => directoriesBelow(join(path, name)))];
}

function isTemplates(pid: number): boolean {
  return read(pid, "cmdline").includes("\0template-process\0");
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(read(pid, "status"))?.[1] ?? 0);
}

function commandOf(pid: number): string {
  return read(pid, "cmdline").replaceAll("\0", " ") || `[${read(pid, "comm").trim()}]`;
}

/** What the kernel says of a process; nothing of one that has gone. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone by itself.
  }
}
