import { expect, test } from "bun:test";
import { RunvError } from "../base/error";
import { readConfig } from "./config";
import { assertSupported } from "./unsupported";

const minimal = { ociVersion: "1.2.0", process: { args: ["sh"], cwd: "/" }, root: { path: "rootfs" } };

/** What is said against a configuration with these fields; undefined when nothing. */
function refusal(fields: object): string | undefined {
  try {
    assertSupported(readConfig({ ...minimal, ...fields }));
    return undefined;
  } catch (error) {
    if (error instanceof RunvError && error.code === "CONFIG_UNSUPPORTED") return error.message;
    throw error;
  }
}

const network = [{ type: "network" }];
const bind = (more: object) => ({ mounts: [{ destination: "/a", source: "/b", options: ["bind"], ...more }] });
const notify = { names: ["mount"], action: "SCMP_ACT_NOTIFY" };

const refused: [string, object][] = [
  ["mounts[0].options: remount:", bind({ options: ["bind", "remount", "ro"] })],
  ["linux.seccomp.defaultAction:", { linux: { seccomp: { defaultAction: "SCMP_ACT_NOTIFY" } } }],
  [
    "linux.seccomp.syscalls[0].action:",
    { linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [notify] } } },
  ],
  ["linux.intelRdt:", { linux: { intelRdt: { closID: "a" } } }],
  ["linux.netDevices:", { linux: { namespaces: network, netDevices: { eth0: {} } } }],
  ["linux.personality.flags:", { linux: { personality: { domain: "LINUX", flags: ["X"] } } }],
  ["linux.resources.cpu.realtimeRuntime:", { linux: { resources: { cpu: { realtimeRuntime: 1 } } } }],
  ["linux.resources.cpu.realtimePeriod:", { linux: { resources: { cpu: { realtimePeriod: 1 } } } }],
  ["linux.resources.network.classID:", { linux: { resources: { network: { classID: 1 } } } }],
  [
    "linux.resources.network.priorities:",
    { linux: { resources: { network: { priorities: [{ name: "a", priority: 1 }] } } } },
  ],
  ["linux.resources.rdma:", { linux: { resources: { rdma: { mlx5: { hcaHandles: 1 } } } } }],
];

for (const [message, fields] of refused) {
  test(`refused: ${message}`, () => expect(refusal(fields)).toStartWith(message));
}

test("what says nothing is not refused", () => {
  expect(refusal({})).toBeUndefined();
  const resources = { cpu: { realtimeRuntime: 0 }, network: { classID: 0, priorities: [] }, rdma: {} };
  expect(
    refusal({ linux: { resources, netDevices: {}, personality: { domain: "LINUX", flags: [] } } }),
  ).toBeUndefined();
});
