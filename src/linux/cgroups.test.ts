import { expect, test } from "bun:test";
import { directoryOf, hierarchies } from "./cgroups";

const mount = (id: number, root: string, point: string, type: string, options: string) =>
  `${id} 1 0:${id} ${root} ${point} rw,relatime shared:1 - ${type} ${type} rw,${options}`;

test("the hybrid layout: each hierarchy of version 1, and version 2 beside them", () => {
  const mountinfo = [
    mount(30, "/", "/sys/fs/cgroup/cpu,cpuacct", "cgroup", "cpu,cpuacct"),
    mount(31, "/", "/sys/fs/cgroup/memory", "cgroup", "memory"),
    mount(32, "/", "/sys/fs/cgroup/systemd", "cgroup", "xattr,name=systemd"),
    mount(33, "/", "/sys/fs/cgroup/unified", "cgroup2", "nsdelegate"),
    mount(34, "/", "/other/memory", "cgroup", "memory"),
    "35 1 8:1 / / rw - ext4 /dev/vda rw",
  ].join("\n");
  const cgroup = "4:name=systemd:/a\n3:memory:/b\n2:cpu,cpuacct:/c\n0::/d\n";
  expect(hierarchies(mountinfo, cgroup)).toEqual([
    { version: 1, controllers: ["cpu", "cpuacct"], mountPoint: "/sys/fs/cgroup/cpu,cpuacct", root: "/", own: "/c" },
    { version: 1, controllers: ["memory"], mountPoint: "/sys/fs/cgroup/memory", root: "/", own: "/b" },
    { version: 1, controllers: ["name=systemd"], mountPoint: "/sys/fs/cgroup/systemd", root: "/", own: "/a" },
    { version: 2, controllers: [], mountPoint: "/sys/fs/cgroup/unified", root: "/", own: "/d" },
  ]);
});

test("inside a container the mount shows a part of the hierarchy", () => {
  const hierarchy = { version: 2, controllers: [], mountPoint: "/sys/fs/cgroup", root: "/docker/x", own: "/" } as const;
  expect(directoryOf(hierarchy, "/docker/x/y")).toBe("/sys/fs/cgroup/y");
  expect(directoryOf(hierarchy, "/docker/x")).toBe("/sys/fs/cgroup");
  expect(directoryOf(hierarchy, "/y")).toBe("/sys/fs/cgroup/y");
});
