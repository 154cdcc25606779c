import { expect, test } from "bun:test";
import { cgroupPath } from "./host-cgroup";

const path = (cgroupsPath: string | undefined, systemd = false, own = "/user", version: 1 | 2 = 1) =>
  cgroupPath({ id: "c1", path: cgroupsPath, systemd }, { own, version });

test("an absolute path is the hierarchy's, a relative one is below the caller's own cgroup", () => {
  expect(path("/docker/abc")).toBe("/docker/abc");
  expect(path("abc")).toBe("/user/abc");
  expect(path(undefined)).toBe("/user/c1");
  expect(path("", false, "/")).toBe("/c1");
});

test("in version 2 it is beside the caller's own cgroup, which has processes", () => {
  const session = "/user.slice/user-0.slice/session-1.scope";
  expect(path(undefined, false, session, 2)).toBe("/user.slice/user-0.slice/c1");
  expect(path("abc", false, session, 2)).toBe("/user.slice/user-0.slice/abc");
  expect(path("/docker/abc", false, session, 2)).toBe("/docker/abc");
  expect(path(undefined, false, "/", 2)).toBe("/c1");
});

test("no path leaves the hierarchy, nor a relative one where it begins", () => {
  expect(path("/../../etc")).toBe("/etc");
  expect(path("../../../x")).toBe("/user/x");
  expect(path("/a/./b//c/..")).toBe("/a/b");
});

test("systemd's names", () => {
  expect(path("system.slice:docker:abc", true)).toBe("/system.slice/docker-abc.scope");
  expect(path("kubepods-besteffort-pod1.slice:cri:abc", true)).toBe(
    "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-abc.scope",
  );
  expect(path("-.slice:x:y", true)).toBe("/x-y.scope");
  expect(path(undefined, true)).toBe("/system.slice/runv-c1.scope");
  expect(() => path("/docker/abc", true)).toThrow('linux.cgroupsPath: expected "slice:prefix:name"');
});
