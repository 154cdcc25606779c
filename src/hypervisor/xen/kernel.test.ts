import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { madeUpKernel } from "../../image/made-up-elf";
import { wrongKernel } from "./kernel";

const pvNote = 1;
const pvhNote = 18;

test("a kernel has the entry that its domain begins at, or the option is named that it lacks", () => {
  const directory = mkdtempSync(join(tmpdir(), "runv-xen-"));
  const path = join(directory, "kernel");
  try {
    writeFileSync(path, madeUpKernel({ note: pvNote }));
    expect(wrongKernel(path, "pv")).toBeUndefined();
    expect(wrongKernel(path, "pvh")?.message).toBe(`start a domain: ${path} was configured without CONFIG_PVH`);
    writeFileSync(path, madeUpKernel({ note: pvhNote }));
    expect(wrongKernel(path, "pvh")).toBeUndefined();
    expect(wrongKernel(path, "pv")?.message).toBe(`start a domain: ${path} was configured without CONFIG_XEN_PV`);
    writeFileSync(path, "text");
    expect(wrongKernel(path, "pv")).toMatchObject({
      code: "VM_KERNEL_FORMAT",
      message: expect.stringContaining(`${path} is no kernel: `),
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
