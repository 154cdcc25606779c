/** docs/compatibility.md says of every flag what becomes of it: it is held against the flags that there are. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { allCommands } from "./commands";
import { globalFlags } from "./global";

/** Commands that are neither runc's nor runV 1.0's. */
const own = new Set([
  "branch",
  "check",
  "console",
  "containerd",
  "containerd-shim",
  "ctr",
  "image",
  "install-containerd",
  "install-docker",
  "interface",
  "late-output",
  "monitor",
  "pool",
  "pool-keeper",
  "template-process",
  "shim",
  "task-service",
  "template",
]);

/** The flags of runc 1.1 to 1.5, by their long names. */
const runc: Readonly<Record<string, string>> = {
  "Global flags": "debug log log-format root criu systemd-cgroup rootless",
  create: "bundle console-socket pidfd-socket pid-file no-pivot no-new-keyring preserve-fds",
  run: "bundle console-socket pidfd-socket pid-file no-subreaper detach keep no-pivot no-new-keyring preserve-fds",
  start: "",
  exec: "console-socket pidfd-socket cwd env tty user additional-gids process detach pid-file process-label apparmor no-new-privs cap preserve-fds cgroup ignore-paused",
  state: "",
  list: "format quiet",
  ps: "format",
  kill: "all",
  delete: "force",
  pause: "",
  resume: "",
  events: "interval stats",
  update:
    "resources blkio-weight cpu-period cpu-quota cpu-burst cpu-share cpu-rt-period cpu-rt-runtime cpuset-cpus cpuset-mems cpu-idle kernel-memory kernel-memory-tcp memory memory-reservation memory-swap pids-limit l3-cache-schema mem-bw-schema",
  spec: "bundle rootless",
  features: "",
  checkpoint:
    "image-path work-path parent-path leave-running tcp-established tcp-skip-in-flight link-remap ext-unix-sk shell-job lazy-pages status-fd page-server file-locks pre-dump manage-cgroups-mode empty-ns auto-dedup",
  restore:
    "console-socket image-path work-path tcp-established ext-unix-sk shell-job file-locks manage-cgroups-mode bundle detach pid-file no-subreaper no-pivot empty-ns auto-dedup lazy-pages lsm-profile lsm-mount-context",
};

interface Row {
  flags: string[];
  what: string;
  why: string;
}

const page = readFileSync(join(import.meta.dir, "../../docs/compatibility.md"), "utf8");
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((text): [string, Row[]] => [text.slice(0, text.indexOf("\n")), rowsOf(text)]),
);

function rowsOf(text: string): Row[] {
  return [...text.matchAll(/^\| (`-.*?) \| .*? \| (.*?) \| (.*?) ?\|$/gm)].map(([, names, what, why]) => ({
    flags: [...names!.matchAll(/`-+([\w-]+)`/g)].map(([, name]) => name!),
    what: what!,
    why: why!,
  }));
}

const longNames = (rows: readonly Row[]): string[] => rows.map(({ flags }) => flags[0]!).sort();
const declared = (flags: Readonly<Record<string, { kind: string; short?: string }>>): string[][] =>
  Object.entries(flags).map(([name, { short }]) => (short === undefined ? [name] : [name, short]));

test("every command has its section, with every flag that it declares", async () => {
  const commands = (await allCommands()).filter(({ name }) => !own.has(name));
  const tables = [{ name: "Global flags", flags: globalFlags }, ...commands];
  for (const { name, flags } of tables) {
    const rows = sections.get(name);
    expect([name, rows !== undefined]).toEqual([name, true]);
    const sorted = (names: string[][]) => names.map((all) => all.join()).sort();
    expect([name, ...sorted(rows!.map((row) => row.flags))]).toEqual([name, ...sorted(declared(flags))]);
  }
});

test("every flag of runc is there", () => {
  for (const [name, flags] of Object.entries(runc)) {
    expect(longNames(sections.get(name) ?? [])).toEqual(expect.arrayContaining(flags.split(" ").filter(Boolean)));
  }
});

test("each is honoured, accepted or refused, and what is not honoured has a reason", () => {
  for (const [section, rows] of sections) {
    for (const { flags, what, why } of rows) {
      expect(["honoured", "accepted", "refused"]).toContain(what);
      const explained = why !== "" || what === "honoured" || ["checkpoint", "restore"].includes(section);
      expect([section, flags[0], explained]).toEqual([section, flags[0], true]);
    }
  }
});
