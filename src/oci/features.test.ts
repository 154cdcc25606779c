import { expect, test } from "bun:test";
import { features, formatFeatures } from "./features";

// `runc features` of runc 1.1.5, the lists in which ours must not be poorer.
const runcNamespaces = ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"];
const runcMountOptions =
  "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup unbindable";

test("what runc knows is known, but for what a virtual machine cannot have", () => {
  const { hooks, mountOptions, linux } = features();
  // Each mount of a virtual machine is a new one.
  const refused = ["remount"];
  // acl and noacl are not flags of mount(2): runc 1.2 and later hand them to the file system too.
  expect(mountOptions).toEqual(runcMountOptions.split(" ").filter((option) => !refused.includes(option)));
  expect(linux.namespaces).toEqual([...runcNamespaces, "time"].sort() as typeof linux.namespaces);
  expect(linux.capabilities.length).toBe(41);
  expect(hooks).toEqual(["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]);
  expect(linux.seccomp.actions).not.toContain("SCMP_ACT_NOTIFY");
  expect(linux.seccomp.actions.length).toBe(8);
  expect(linux.seccomp.operators.length).toBe(7);
});

test("it is printed as runc prints it", () => {
  expect(formatFeatures()).toStartWith(
    '{\n    "ociVersionMin": "1.0.0",\n    "ociVersionMax": "1.3.0",\n    "hooks": [',
  );
  expect(JSON.parse(formatFeatures())).toEqual(JSON.parse(JSON.stringify(features())));
});
