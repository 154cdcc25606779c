import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { changeFile, difference } from "./change-file";

test("the change, as it is shown", () => {
  expect(difference('{\n  "mtu": 9\n}\n', '{\n  "mtu": 9,\n  "debug": true\n}\n')).toBe(
    '  {\n-   "mtu": 9\n+   "mtu": 9,\n+   "debug": true\n  }\n',
  );
});

test("a file that is not there is made, with its directory, and goes again", () => {
  const directory = mkdtempSync(join(tmpdir(), "change-file-"));
  const file = join(directory, "deeper/f");
  const plan = { file, pretty: (text: string) => text, code: "CONTAINERD_CONFIG", next: "now restart it" } as const;
  try {
    expect(changeFile({ ...plan, change: () => "new\n", dryRun: true })).toBe(0);
    expect(existsSync(file)).toBe(false);
    expect(changeFile({ ...plan, change: () => "new\n", dryRun: false })).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("new\n");
    expect(changeFile({ ...plan, change: () => undefined, dryRun: false })).toBe(0);
    expect(existsSync(file)).toBe(false);
    const change = () => "no file\n";
    expect(() => changeFile({ ...plan, file: `${directory}/`, change, dryRun: false })).toThrow(`read ${directory}/: `);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
