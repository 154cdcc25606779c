import { expect, test } from "bun:test";
import { withoutRuntime, withRuntime } from "./docker-config";

const runv = { name: "runv", path: "/usr/local/bin/runv", isDefault: false };
const installed = '{\n  "runtimes": {\n    "runv": {\n      "path": "/usr/local/bin/runv"\n    }\n  }\n}\n';

test("a file that is not there, or empty", () => {
  expect(withRuntime(undefined, "f", runv)).toBe(installed);
  expect(withRuntime("\n", "f", runv)).toBe(installed);
});

test("what is there stays, in its order", () => {
  const text = '{"debug":true,"runtimes":{"crun":{"path":"/c"}},"mtu":9}';
  expect(JSON.parse(withRuntime(text, "f", { ...runv, isDefault: true }))).toEqual({
    debug: true,
    runtimes: { crun: { path: "/c" }, runv: { path: "/usr/local/bin/runv" } },
    mtu: 9,
    "default-runtime": "runv",
  });
});

test("taken out again, with what somebody wrote meanwhile kept", () => {
  expect(withoutRuntime(installed, "f", "runv")).toBeUndefined();
  const text = '{"runtimes":{"runv":{"path":"/r"},"crun":{"path":"/c"}},"default-runtime":"runv","mtu":9}';
  expect(JSON.parse(withoutRuntime(text, "f", "runv") ?? "")).toEqual({ mtu: 9, runtimes: { crun: { path: "/c" } } });
  const other = '{"default-runtime":"crun"}';
  expect(JSON.parse(withoutRuntime(other, "f", "runv") ?? "")).toEqual({ "default-runtime": "crun" });
});

test("a file that is none of Docker's is left alone", () => {
  expect(() => withRuntime("[]", "/d.json", runv)).toThrow("/d.json: it is not an object");
  expect(() => withRuntime('{"runtimes":[]}', "/d.json", runv)).toThrow('/d.json: "runtimes" is not an object');
  expect(() => withRuntime("{", "/d.json", runv)).toThrow("/d.json: invalid JSON at line 1");
});
