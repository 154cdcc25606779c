/** What a guest keeps of its files, as `--share-cache` says. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "../support/rig";

runvTest("a guest that keeps its files writes them back before it ends", async (rig) => {
  const script =
    "grep -cE ',(loose|cache=0xf),' /proc/mounts; for i in 1 2 3; do echo $i > /srv-$i; done; dd if=/dev/zero of=/large bs=1M count=20 2>&-";
  let rootfs = "";
  const bundle = await rig.bundle({
    args: ["sh", "-c", script],
    change: ({ root }) => {
      root.readonly = false;
      rootfs = root.path;
    },
  });
  const { code, stdout, stderr } = await rig.runv(["--share-cache", "loose", "run", "-b", bundle, rig.id("loose")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(Number(stdout)).toBeGreaterThan(0);
  for (const each of ["1", "2", "3"]) expect(readFileSync(join(rootfs, `srv-${each}`), "utf8")).toBe(`${each}\n`);
  expect(readFileSync(join(rootfs, "large")).equals(Buffer.alloc(20 * 2 ** 20))).toBeTrue();
});

runvTest("a word that it does not know is refused", async (rig) => {
  const bundle = await rig.bundle();
  const { code, stderr } = await rig.runv(["--share-cache", "fast", "run", "-b", bundle, rig.id("fast")]);
  expect(code).not.toBe(0);
  expect(stderr).toContain("code=VM_DRIVER_SETTING");
});
