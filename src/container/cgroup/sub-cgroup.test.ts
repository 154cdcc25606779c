import { expect, test } from "bun:test";
import { subCgroup } from "./sub-cgroup";

test("a path below the container's cgroup", () => {
  expect(subCgroup([])).toBeUndefined();
  expect(subCgroup(["/"])).toBe("");
  expect(subCgroup(["a/b/"])).toBe("a/b");
  expect(subCgroup(["cpu,memory:/a"])).toBe("a");
  expect(subCgroup(["cpu:a", "memory:a"])).toBe("a");
});

test("what is none", () => {
  const refused: [string[], string][] = [
    [[".."], "bad sub cgroup path: .."],
    [["a/../../b"], "bad sub cgroup path: "],
    [["../owner"], "bad sub cgroup path: "],
    [["whaaat:/"], "unknown controller whaaat"],
    [["a", "b"], "missing <controller>: prefix"],
    [["cpu:a:b"], "invalid --cgroup argument: cpu:a:b"],
    [["cpu:a", "memory:b"], "one cgroup hierarchy"],
  ];
  for (const [flags, message] of refused) expect(() => subCgroup(flags)).toThrow(message);
});
