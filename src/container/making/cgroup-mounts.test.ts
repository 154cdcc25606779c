import { expect, test } from "bun:test";
import type { Hierarchy } from "../../linux/cgroups";
import type { Mount } from "../../oci/mounts";
import type { Namespace } from "../../oci/namespaces";
import { inOneHierarchy } from "./cgroup-mounts";

const mount = (type: string, source: string, destination: string, ...options: string[]): Mount =>
  ({ type, source, destination, options }) as unknown as Mount;
const hierarchy = (name: string): Hierarchy => ({
  ...{ version: 1, controllers: [name], mountPoint: `/sys/fs/cgroup/${name}`, root: "/", own: "/" },
});
const host = ["memory", "name=systemd"].map(hierarchy);
host[1]!.mountPoint = "/sys/fs/cgroup/systemd";

const cgroups = mount("cgroup", "cgroup", "/sys/fs/cgroup", "rprivate", "ro");
const systemd = (...options: string[]) =>
  mount("bind", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/systemd", "bind", ...options);
const tmpfs = mount("tmpfs", "tmpfs", "/run", "ro");

const mountsOf = (mounts: Mount[], hierarchies = host) =>
  inOneHierarchy({ mounts, linux: { namespaces: [] } }, hierarchies).mounts;

test("podman's systemd: what is below the mount of cgroups is that mount, which can be written to", () => {
  const namespaces: Namespace[] = [{ type: "pid" }];
  const given = (...options: string[]) => ({ mounts: [cgroups, systemd(...options), tmpfs], linux: { namespaces } });
  const own = mount("cgroup", "cgroup", "/sys/fs/cgroup", "rprivate");
  expect(inOneHierarchy(given("nosuid"), host)).toEqual({
    mounts: [own, tmpfs],
    linux: { namespaces: [{ type: "pid" }, { type: "cgroup" }] },
  });
  expect(inOneHierarchy(given("ro"), host)).toEqual({ mounts: [cgroups, tmpfs], linux: { namespaces } });
  namespaces.push({ type: "cgroup" });
  expect(inOneHierarchy(given("nosuid"), host).linux).toEqual({ namespaces });
});

test("a hierarchy on any other place is the guest's", () => {
  const elsewhere = { ...systemd("ro"), destination: "/v" };
  expect(mountsOf([cgroups, elsewhere], host)).toEqual([cgroups, { ...elsewhere, source: "/sys/fs/cgroup" }]);
});

test("the directory of all hierarchies: ro is about the directory, rro about them, too", () => {
  const all = (...options: string[]) => mount("bind", "/sys/fs/cgroup", "/sys/fs/cgroup", ...options);
  expect(mountsOf([all("rbind", "ro")], host)).toEqual([all("rbind")]);
  expect(mountsOf([all("rbind", "rro")], host)).toEqual([all("rbind", "rro")]);
  expect(mountsOf([all("bind", "ro")], host)).toEqual([all("bind", "ro")]);
});

test("where the host has version 2, and for other mounts, nothing changes", () => {
  const two: Hierarchy[] = [{ version: 2, controllers: [], mountPoint: "/sys/fs/cgroup", root: "/", own: "/" }];
  const all = mount("bind", "/sys/fs/cgroup", "/sys/fs/cgroup", "rbind", "ro");
  expect(mountsOf([all, tmpfs], two)).toEqual([all, tmpfs]);
  expect(mountsOf([tmpfs, cgroups], host)).toEqual([tmpfs, cgroups]);
});
