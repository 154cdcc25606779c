import { expect, test } from "bun:test";
import { formatHookState, formatState } from "./state";

test("state prints runc's fields in runc's order", () => {
  const state = {
    ociVersion: "1.2.0",
    id: "a",
    status: "running",
    pid: 7,
    bundle: "/b",
    rootfs: "/b/rootfs",
    created: "2026-11-22T01:51:33.663Z",
    owner: "",
  } as const;
  expect(formatState(state)).toBe(`{
  "ociVersion": "1.2.0",
  "id": "a",
  "pid": 7,
  "status": "running",
  "bundle": "/b",
  "rootfs": "/b/rootfs",
  "created": "2026-11-22T01:51:33.663Z",
  "owner": ""
}`);
  expect(Object.keys(JSON.parse(formatState({ ...state, annotations: { b: "2", a: "1" } })))).toEqual([
    ...["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "annotations", "owner"],
  ]);
});

test("a hook's state is the specification's, without a pid once there is no process", () => {
  const state = { ociVersion: "1.2.0", id: "a", status: "created", pid: 7, bundle: "/b" } as const;
  expect(JSON.parse(formatHookState({ ...state, annotations: {} }))).toEqual(state);
  expect(JSON.parse(formatHookState({ ...state, status: "stopped", pid: 0, annotations: { a: "b" } }))).toEqual({
    ociVersion: "1.2.0",
    id: "a",
    status: "stopped",
    bundle: "/b",
    annotations: { a: "b" },
  });
});
