import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GlobalOptions } from "../base/settings";
import { startEarly } from "./early-monitor";

const withNamespace = (path: string) =>
  JSON.stringify({ linux: { namespaces: [{ type: "pid" }, { type: "network", path }] } }, null, 2);

test("no monitor is started early for who most likely needs none", () => {
  const directory = mkdtempSync(join(tmpdir(), "early-"));
  try {
    const pool = (pool: string) => ({ pool }) as GlobalOptions;
    const none = join(directory, "none");
    expect(startEarly(pool(none), undefined)).toBeUndefined();
    expect(startEarly(pool(directory), "{}")).toBeUndefined();
    for (const path of ["/proc/17/ns/net", "/var/run/netns/cni-1"]) {
      expect(startEarly(pool(none), withNamespace(path))).toBeUndefined();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
