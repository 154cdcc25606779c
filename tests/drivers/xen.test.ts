/** The driver xen on a machine without Xen. Where Xen is: tests/lab. */
import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { runvTest } from "../support/rig";

runvTest("without Xen a container is refused, and check says what to do", async ({ runv, bundle, id }) => {
  if (existsSync("/sys/hypervisor/type")) {
    process.stderr.write("not tried: what --driver xen says on a machine without Xen, for this is none\n");
    return;
  }
  for (const driver of ["xen", "xen-pvh"]) {
    const { code, stderr } = await runv(["--driver", driver, "run", "-b", await bundle(), id("none")]);
    const refusal = `the driver ${driver} does not work on this machine: this machine does not run on Xen`;
    expect([code, stderr]).toEqual([1, expect.stringContaining(refusal)]);
    expect(stderr).toMatch(/apt-get install xen-system-amd64 .*boot the machine with Xen/);
    const { code: failed, stdout } = await runv(["--driver", driver, "check"]);
    expect([failed, stdout]).toEqual([
      1,
      expect.stringMatching(/^missing +xen +this machine does not run on Xen +\(fix: apt-get install xen-/m),
    ]);
  }
});
