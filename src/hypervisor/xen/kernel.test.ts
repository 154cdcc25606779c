import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { madeUpKernel } from "../../image/made-up-elf";
import { kernelProblem } from "./kernel";

const pvNote = 1;
const pvhNote = 18;

test("a kernel has the entry that its domain begins at, or the option is named that it lacks", () => {
  const directory = mkdtempSync(join(tmpdir(), "runv-xen-"));
  const path = join(directory, "kernel");
  try {
    writeFileSync(path, madeUpKernel({ note: pvNote }));
    expect(kernelProblem(path, "pv")).toBeUndefined();
    expect(kernelProblem(path, "pvh")).toBe("was configured without CONFIG_PVH");
    writeFileSync(path, madeUpKernel({ note: pvhNote }));
    expect(kernelProblem(path, "pvh")).toBeUndefined();
    expect(kernelProblem(path, "pv")).toBe("was configured without CONFIG_XEN_PV");
    writeFileSync(path, "text");
    expect(kernelProblem(path, "pv")).toStartWith("is no kernel: ");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
