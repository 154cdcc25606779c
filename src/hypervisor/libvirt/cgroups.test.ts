import { afterEach, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../../tests/support/until";
import { hierarchies } from "../../linux/cgroups";
import { QemuCgroups } from "./cgroups";

const version2 = hierarchies().find(({ version }) => version === 2);
const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const action of left.splice(0).reverse()) await action();
});

/** A cgroup of version 2 with a process; undefined where none can be made. */
function cgroupWithProcess(name: string): { cgroup: string; pid: number } | undefined {
  if (version2 === undefined) return undefined;
  const cgroup = join(version2.mountPoint, name);
  try {
    mkdirSync(cgroup);
  } catch {
    return undefined;
  }
  left.push(() => until("it is empty", () => rmdir(cgroup)));
  const child = Bun.spawn(["sleep", "1000"]);
  left.push(() => child.kill("SIGKILL"));
  writeFileSync(join(cgroup, "cgroup.procs"), String(child.pid));
  return { cgroup, pid: child.pid };
}

function rmdir(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

const processesIn = (cgroup: string) =>
  readFileSync(join(cgroup, "cgroup.procs"), "utf8")
    .split("\n")
    .filter((line) => line !== "");

for (const { name, keeps } of [
  { name: `runv-test-${process.pid}.scope`, keeps: 1 },
  { name: `runv-test-${process.pid}`, keeps: 0 },
]) {
  test(`${keeps === 0 ? "a cgroup" : "a scope of systemd's"} that QEMU leaves has ${keeps} processes, until the machine has ended`, async () => {
    const made = cgroupWithProcess(name);
    if (made === undefined) {
      process.stderr.write("the cgroup that QEMU leaves is not tried: none of version 2 can be made here\n");
      return;
    }
    const cgroups = new QemuCgroups(made.pid);
    left.push(() => cgroups.end());
    cgroups.join();
    const kept = processesIn(made.cgroup);
    expect(kept).not.toContain(String(made.pid));
    expect(kept).toHaveLength(keeps);
    await cgroups.atHome(async () => expect(processesIn(made.cgroup)).toContain(String(made.pid)));
    expect(processesIn(made.cgroup)).toEqual(kept);
    await cgroups.end();
    expect(processesIn(made.cgroup)).toEqual([]);
  });
}
