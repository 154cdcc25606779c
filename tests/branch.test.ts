/** `runv branch`: running copies of a running container. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf } from "../src/linux/identity";
import { partsOf, statusOf } from "./drivers/support/parts";
import { branch, branchesOf, output, patience, runv, start, startForked } from "./support/branch";
import type { Config } from "./support/bundle";
import { ConsoleSocket } from "./support/console-socket";
import { inNamespace, makeLab } from "./support/lab";
import { clean, type Rig, runvTest } from "./support/rig";
import { readyProcess } from "./support/template-process";
import { until } from "./support/until";

const writable = {
  change: ({ root }: Config) => {
    root.readonly = false;
  },
};

/** The same, on a directory that is no overlay. */
const plain = {
  change: ({ root }: Config) => {
    const path = `${root.path}-plain`;
    expect(Bun.spawnSync(["cp", "-a", root.path, path]).exitCode).toBe(0);
    Object.assign(root, { path, readonly: false });
  },
};

/** Counts into a file that stays open, and by a pipe into one in memory; at USR1 it says what it has in a file that has no name. */
const counter = `
  echo kept >/unnamed; exec 5>>/counted 6>>/unnamed 7</unnamed; rm /unnamed
  trap 'echo more >&6; cat <&7 >/told' USR1
  i=0; while :; do i=$((i+1)); echo $i >&5; echo $i; sleep 0.2; done | while read n; do echo $n >>/dev/shm/seen; done &
  while :; do wait; done`;

const count = async (rig: Rig, id: string) =>
  Number(await output(rig, id, "tail -n 1 /dev/shm/seen 2>/dev/null || echo 0"));

/** What was counted: all numbers, in their order. */
async function counted(rig: Rig, id: string): Promise<number> {
  const numbers = (await output(rig, id, "cat /counted")).split("\n").map(Number);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  return numbers.length;
}

runvTest("a branch goes on where its original is, and both go their own ways", async (rig) => {
  const id = await startForked(rig, await rig.bundle({ args: ["sh", "-c", counter], ...writable }));
  await until("it counts", async () => (await count(rig, id)) > 3, patience);
  const copy = rig.id("copy");
  expect(await branch(rig, "--signal", "USR1", id, copy)).toMatchObject({ code: 0, stderr: "" });
  const [before, own] = [await count(rig, copy), await count(rig, id)];
  expect(before).toBeGreaterThan(3);
  await until("the copy counts on", async () => (await count(rig, copy)) > before, patience);
  await until("the original counts on", async () => (await count(rig, id)) > own, patience);
  await counted(rig, copy);
  await counted(rig, id);
  await until("the copy has its signal", async () => (await output(rig, copy, "cat /told || true")) !== "", patience);
  expect(await output(rig, copy, "cat /told")).toBe("kept\nmore");
  expect(await output(rig, id, "ls /")).not.toContain("told");
  const told = await output(rig, copy, "cat /run/runv/branch; hostname");
  expect(told).toMatch(new RegExp(`^RUNV_BRANCH=${copy}\nRUNV_BRANCH_OF=${id}\nRUNV_BRANCH_TIME=\\S+\n${copy}$`));
  expect(await output(rig, id, "ls /")).not.toMatch(/^run$/m);
  // It is a container like any other: its commands reach its own processes.
  expect((await runv(rig, ["pause", copy])).code).toBe(0);
  expect((await runv(rig, ["resume", copy])).code).toBe(0);
  expect((await runv(rig, ["ps", copy])).stdout).toContain("sleep");
  expect((await runv(rig, ["delete", "--force", id])).code).toBe(0);
  const last = await count(rig, copy);
  await until("the copy goes on without its original", async () => (await count(rig, copy)) > last, patience);
  await counted(rig, copy);
  const again = rig.id("again");
  await runv(rig, ["pause", copy]);
  expect(await branch(rig, copy, again)).toMatchObject({ code: 0, stderr: "" });
  // What is a copy of a paused one is paused.
  for (const one of [copy, again]) expect(await statusOf(rig, one)).toBe("paused");
  for (const one of [copy, again]) expect((await runv(rig, ["resume", one])).code).toBe(0);
  const first = await count(rig, again);
  await until("a copy of the copy counts on", async () => (await count(rig, again)) > first, patience);
  await counted(rig, again);
  expect((await runv(rig, ["kill", copy, "KILL"])).code).toBe(0);
  await until(
    "the copy has stopped",
    async () => (await runv(rig, ["state", copy])).stdout.includes('"stopped"'),
    patience,
  );
  await clean(rig);
  expect(readdirSync(branchesOf(rig))).toEqual([]);
});

runvTest("branches are no twins, and all of them go with what they have", async (rig) => {
  const id = await startForked(rig, await rig.bundle({ args: ["sleep", "100000"], ...plain }));
  await output(rig, id, "cat /proc/sys/kernel/random/boot_id; echo old >/old; echo other >/gone; mkdir -p /d/e");
  const ids = Array.from({ length: 4 }, (_, index) => rig.id(`copy${index}`));
  expect(await branch(rig, id, ...ids)).toMatchObject({ code: 0, stderr: "" });
  const look =
    "cat /proc/sys/kernel/random/boot_id; head -c 16 /dev/urandom | od -An -tx1; hostname; echo $RANDOM >/mine";
  // The copy of the root file system is one for all of them.
  expect(readdirSync(branchesOf(rig))).toHaveLength(ids.length + 1);
  expect(
    await output(rig, ids[0]!, "echo new >/old; rm -r /gone /d; cat /old; ls / | grep -c -e gone -e ^d$ || true"),
  ).toBe("new\n0");
  expect(await output(rig, ids[1]!, "cat /old /gone; ls -d /d/e")).toBe("old\nother\n/d/e");
  const seen = await Promise.all([id, ...ids].map((one) => output(rig, one, look)));
  for (const line of [0, 1, 2]) expect(new Set(seen.map((text) => text.split("\n")[line])).size).toBe(seen.length);
  const machines = ids.map((one) => partsOf(rig, one).machine!);
  const smaps = readFileSync(`/proc/${machines[0]}/smaps_rollup`, "utf8");
  const of = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(smaps)![1]);
  // Most of its memory is the others' too.
  expect(of("Pss")).toBeLessThan(of("Rss") / 2);
  const { monitor } = partsOf(rig, ids[0]!);
  process.kill(monitor, "SIGKILL");
  await until("its machine ends with its monitor", () => identityOf(machines[0]!) === undefined, patience);
  for (const one of [id, ...ids.slice(1)]) await output(rig, one, "true");
  await clean(rig);
  expect(readdirSync(branchesOf(rig))).toEqual([]);
});

/** How many directories runv's own server watches in a machine, for the guest that knows them. */
function watchesOf(rig: Rig, id: string): number {
  const { machine } = partsOf(rig, id);
  const all = readdirSync(`/proc/${machine}/fdinfo`).map((fd) =>
    readFileSync(`/proc/${machine}/fdinfo/${fd}`, "latin1"),
  );
  return all.join("").match(/^inotify wd:/gm)?.length ?? 0;
}

runvTest(
  "where runv serves the files, a branch has all that its original knew of them, and follows them",
  async (rig) => {
    const volume = join(rig.directory, "volume");
    mkdirSync(volume);
    const script = `
    mkdir /many /gone; for i in $(seq 300); do echo $i >/many/$i; done; mkdir /many/d /volume/d
    echo kept >/open; exec 5<>/open; echo renamed >/a; mv /a /b; ln /b /c
    rm -r /gone /open; cat /many/[0-9]* >/dev/null; echo >/ready; exec sleep 100000`;
    const bundle = await rig.bundle({
      args: ["sh", "-c", script],
      change: ({ root, mounts }) => {
        root.readonly = false;
        mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["rbind"] });
      },
    });
    const id = await startForked(rig, bundle, "--share", "fuse");
    await until("all is made", async () => (await output(rig, id, "ls /")).includes("ready"), patience);
    const copy = rig.id("copy");
    expect(await branch(rig, id, copy)).toMatchObject({ code: 0, stderr: "" });
    const all = "cat /many/[0-9]* | sort -n | md5sum; cat /b /c /proc/1/fd/5; ls -d /gone /a /open 2>&1 | wc -l";
    expect(await output(rig, copy, all)).toBe(await output(rig, id, all));
    expect(await output(rig, copy, "rm -r /many/[0-9]*; echo own >>/b; cat /c; echo more >/proc/1/fd/5")).toBe(
      "renamed\nown",
    );
    expect(await output(rig, id, "ls /many | wc -l; cat /b /proc/1/fd/5")).toBe("301\nrenamed\nkept");
    writeFileSync(join(volume, "told"), "by the host\n");
    for (const each of [id, copy]) expect(await output(rig, each, "cat /volume/told")).toBe("by the host");
    expect(watchesOf(rig, id)).toBeGreaterThan(3);
    expect(watchesOf(rig, copy)).toBeGreaterThanOrEqual(watchesOf(rig, id));
    await clean(rig);
    expect(readdirSync(branchesOf(rig))).toEqual([]);
  },
);

runvTest("what cannot be branched is refused by name, and nothing comes of it", async (rig) => {
  const bundle = await rig.bundle({ args: ["sleep", "100000"], ...writable });
  const id = await startForked(rig, bundle);
  const refused = async (code: string, ...args: string[]) => {
    const result = await branch(rig, ...args);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`code=${code}`);
    const made = args.slice(1).filter((name) => name !== id && existsSync(join(rig.root, name)));
    expect(made).toEqual([]);
  };
  const copy = rig.id("copy");
  await refused("CONTAINER_UNKNOWN", rig.id("nobody"), copy);
  await refused("CONTAINER_EXISTS", id, copy, id);
  await refused("CONTAINER_EXISTS", id, copy, copy);
  const booted = await start(rig, "booted", bundle, "--no-template");
  await refused("BRANCH_REFUSED", booted, copy);
  await output(rig, booted, "true");
  const host = await rig.bundle({
    args: ["sleep", "100000"],
    change: ({ linux }) => {
      linux.namespaces = linux.namespaces.filter(({ type }) => type !== "network");
    },
  });
  await refused("BRANCH_REFUSED", await start(rig, "host", host), copy);
  await output(rig, id, "true");
  await clean(rig);
  expect(existsSync(branchesOf(rig)) ? readdirSync(branchesOf(rig)) : []).toEqual([]);
});

runvTest("a shell at a terminal goes on at another one in a branch", async (rig) => {
  const [one, two] = ["one", "two"].map((name) => new ConsoleSocket(join(rig.directory, `${name}.sock`))) as [
    ConsoleSocket,
    ConsoleSocket,
  ];
  const first = await start(rig, "first", await rig.bundle({ args: ["sleep", "100000"] }));
  await readyProcess(rig);
  const bundle = await rig.bundle({
    args: ["sh"],
    change: (config) => {
      writable.change(config);
      config.process.terminal = true;
      config.process.consoleSize = { height: 20, width: 70 };
      config.process.env.push("PS1=inside$ ");
    },
  });
  const [id, copy] = [rig.id("original"), rig.id("copy")];
  const run = ["run", "-d", "--console-socket", one.path, "-b", bundle, id];
  expect(await runv(rig, run)).toMatchObject({ code: 0, stderr: "" });
  await runv(rig, ["delete", "--force", first]);
  const terminal = one.receive();
  await terminal.see(/inside\$ /);
  await terminal.ask("x=kept; cd /tmp; echo d''one", /\ndone\r/);
  // Half a line is typed: the branch has it, too.
  terminal.write("echo $x in $PWD at $(tty) $(stty si");
  await terminal.see(/stty si/);
  expect((await branch(rig, id, copy)).stderr).toContain("code=USAGE");
  expect(await branch(rig, "--console-socket", two.path, id, copy)).toMatchObject({ code: 0, stderr: "" });
  const other = two.receive();
  for (const each of [terminal, other]) {
    each.write("ze)\r");
    await each.see(/\nkept in \/tmp at \/dev\/pts\/0 20 70\r/);
  }
  other.resize(33, 44);
  await other.ask("stty size", /\n33 44\r/);
  await terminal.ask("stty size", /\n20 70\r/);
  await other.ask("sleep 1000 & echo a j''ob", /\na job\r/);
  await other.ask("fg", /\nsleep 1000\r/);
  other.write("\x03");
  await other.ask("echo code $?", /\ncode 130\r/);
  other.write("exit 7\r");
  await until("the shell of the branch has ended", async () => (await statusOf(rig, copy)) === "stopped", patience);
  await terminal.ask("echo $x", /\nkept\r/);
  for (const socket of [one, two]) socket.close();
  await clean(rig);
});

runvTest("a branch has a network of its own, and no connections with others", async (rig) => {
  const lab = await makeLab(rig.name);
  const echo = `Bun.listen({ hostname: "10.9.0.1", port: 9000, socket: { data: (socket, bytes) => void socket.write(bytes) } })`;
  const server = Bun.spawn(["ip", "netns", "exec", `${rig.name}-hub`, process.execPath, "-e", echo]);
  try {
    const [one, two] = [await lab.station(), await lab.station()];
    await lab.plug(one, "eth0", 2);
    await lab.plug(two, "eth0", 3);
    const talk = `while :; do (while :; do echo x; sleep 0.2; done) | nc 10.9.0.1 9000 >>/dev/shm/echoed 2>/dev/null; echo ended >>/dev/shm/ended; sleep 1; done`;
    const at = (path: string) =>
      rig.bundle({ args: ["sh", "-c", talk], change: (config) => inNamespace(config, path) });
    const id = await startForked(rig, await at(one.path));
    const heard = async (of: string) => Number(await output(rig, of, "cat /dev/shm/echoed 2>/dev/null | wc -l"));
    await until("the server answers", async () => (await heard(id)) > 0, patience);
    await output(rig, id, "rm -f /dev/shm/ended");
    const [alone, other] = [rig.id("alone"), rig.id("other")];
    expect(await branch(rig, id, alone)).toMatchObject({ code: 0, stderr: "" });
    expect(await branch(rig, "--bundle", await at(two.path), id, other)).toMatchObject({ code: 0, stderr: "" });
    const ended = (of: string) => output(rig, of, "cat /dev/shm/ended 2>/dev/null || true");
    for (const copy of [alone, other]) {
      await until(`the connection of ${copy} ends`, async () => (await ended(copy)) !== "", patience);
    }
    expect(await output(rig, alone, "ls /sys/class/net")).not.toContain("eth0");
    const before = await heard(other);
    await until("the branch has a connection of its own", async () => (await heard(other)) > before, patience);
    expect(await output(rig, other, "ip -4 addr show eth0")).toContain("10.9.0.3/24");
    const macs = await Promise.all([id, other].map((of) => output(rig, of, "cat /sys/class/net/eth0/address")));
    expect(new Set(macs).size).toBe(2);
    const own = await heard(id);
    await until("the original's connection goes on", async () => (await heard(id)) > own, patience);
    expect(await ended(id)).toBe("");
    await clean(rig);
  } finally {
    server.kill();
    await server.exited;
    await clean(rig);
    await lab.remove();
  }
});
