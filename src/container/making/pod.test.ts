import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { identityOf } from "../../linux/identity";
import type { Namespace } from "../../oci/namespaces";
import { type ContainerRecord, makeContainerDirectory, writeRecord } from "../record/store";
import { findPod } from "./pod";

/** Processes that stand for the shims of two containers, each in a machine of its own; this one is the monitor of both. */
const shims = ["one", "two"].map((id) => ({ id, process: Bun.spawn(["sleep", "1000"]) }));
const [one, two] = shims.map(({ process }) => process.pid);
let root = "";

beforeAll(() => {
  root = mkdtempSync("/tmp/runv-test-");
  for (const { id, process: shim } of shims) {
    const none = { ociVersion: "", bundle: "", rootfs: "", created: "", owner: "", annotations: {}, cgroup: [] };
    const record = {
      ...none,
      ...{ paused: false, byDaemon: false, creator: identityOf(process.pid) },
      ...{ process: {}, namespaces: [], settings: {}, hooks: {} },
      id,
      phase: "running",
      sandbox: id,
      init: 70000,
      shim: identityOf(shim.pid),
      monitor: identityOf(process.pid),
    };
    makeContainerDirectory(root, id);
    writeRecord(root, record as unknown as ContainerRecord);
  }
});

afterAll(() => {
  for (const { process } of shims) process.kill();
  rmSync(root, { recursive: true });
});

const find = (...namespaces: Namespace[]) => findPod(root, namespaces);
const pid: Namespace = { type: "pid", path: `/proc/${one}/ns/pid` };

test("a container that joins nothing has a machine of its own", () => {
  expect(find({ type: "pid" }, { type: "network" })).toBeUndefined();
  expect(find({ type: "pid" })).toBeUndefined();
});

test("one that joins a namespace is in that one's machine, with whatever network", () => {
  for (const network of [{ type: "network" }, { type: "network", path: "/run/netns/none" }] as const) {
    const pod = find(pid, { type: "ipc", path: `/proc/${one}/ns/ipc` }, network);
    expect(pod?.member.id).toBe("one");
    expect([...pod!.joined]).toEqual([
      ["pid", 70000],
      ["ipc", 70000],
    ]);
  }
  // The machine's monitor is in the host's network, as this process is.
  expect(find(pid)?.member.id).toBe("one");
});

test("namespaces of two machines are refused", () => {
  expect(() => find(pid, { type: "ipc", path: `/proc/${two}/ns/ipc` }, { type: "network" })).toThrow(
    "linux.namespaces[1].path: the ipc namespace is of container two, which is not in the virtual machine of container one",
  );
});

test("a process that is no container's shim is nobody's machine", () => {
  expect(find({ type: "pid", path: `/proc/${process.pid}/ns/pid` }, { type: "network" })).toBeUndefined();
});
