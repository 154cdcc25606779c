import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GlobalOptions } from "../../base/settings";
import { settingAnnotations, withAnnotations } from "./annotations";

const directory = mkdtempSync(join(tmpdir(), "annotations-"));
const before = process.env.RUNV_CONFIG;

afterEach(() => {
  if (before === undefined) delete process.env.RUNV_CONFIG;
  else process.env.RUNV_CONFIG = before;
  rmSync(directory, { recursive: true, force: true });
});

function allow(names: readonly string[]): void {
  process.env.RUNV_CONFIG = join(mkdtempSync(`${directory}-`), "config.toml");
  writeFileSync(process.env.RUNV_CONFIG, `allow_annotations = ${JSON.stringify(names)}\n`);
}

const none = { driver: undefined, defaultMemory: undefined, driverOptions: {} } as unknown as GlobalOptions;

test("what is allowed is said", () => {
  allow(settingAnnotations);
  expect(
    withAnnotations(none, {
      "org.runv.driver": "tcg",
      "org.runv.default_memory": "512",
      "org.runv.share": "fuse",
      "org.runv.kernel": "/k",
      "org.example": "x",
    }),
  ).toMatchObject({ driver: "tcg", defaultMemory: 512, kernel: "/k", driverOptions: { share: "fuse" } });
});

test("a flag goes before it", () => {
  allow(settingAnnotations);
  const flags = { ...none, driver: "kvm", driverOptions: { share: "9p" } };
  expect(withAnnotations(flags, { "org.runv.driver": "tcg", "org.runv.share": "fuse" })).toMatchObject({
    driver: "kvm",
    driverOptions: { share: "9p" },
  });
});

test.each([
  [{ "org.runv.kernel": "/k" }, 'annotations["org.runv.kernel"] is not allowed on this host'],
  [
    { "org.runv.driver": "tcg", "org.runv.default_cpus": "0" },
    'annotations["org.runv.default_cpus"]: "0" is no whole number above 0',
  ],
  [{ "org.runv.initrd": "i" }, 'annotations["org.runv.initrd"]: "i" is no absolute path'],
])("%p is refused", (annotations, message) => {
  allow(["org.runv.driver", "org.runv.default_cpus", "org.runv.initrd"]);
  expect(() => withAnnotations(none, annotations as unknown as Record<string, string>)).toThrow(message);
});
