/** Starts a machine for `runv check`: what no list of features tells. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf, RunvError } from "../base/error";
import type { Driver, Finding } from "./driver";

/** Starts a machine until its hypervisor answers, and ends it. */
export async function checkTrial(driver: Driver, kernel: string, initrd: string): Promise<Finding> {
  const subject = "trial";
  const directory = mkdtempSync(join(tmpdir(), "runv-check-"));
  const began = performance.now();
  try {
    const machine = await driver.launch({ name: "runv-check", directory, kernel, initrd, cpus: 1, memoryMiB: 128 });
    const milliseconds = Math.round(performance.now() - began);
    await machine.kill();
    return {
      status: "ok",
      subject,
      detail: `${driver.name} starts a machine in ${milliseconds} ms (${machine.accelerator})`,
    };
  } catch (error) {
    const fix = error instanceof RunvError ? error.hint : undefined;
    return { status: "missing", subject, detail: messageOf(error), ...(fix !== undefined && { fix }) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
