/**
 * The processor's time stamp counter, by which an emulated machine can tell the time: QEMU gives it the host's, 64 bits that go on whatever happens to
 * QEMU. The other clock there is, ACPI's timer, has 24 bits: a machine that stands still for 4.69 s or longer loses multiples of that.
 */
import { closeSync, readFileSync } from "node:fs";
import { readInit } from "../../image/init-binary";
import { memoryFile } from "../../linux/memory-file";

/** Clocks of the host that are that counter, or follow it; a host whose counter is no good has chosen another. */
const good = /^(tsc|kvm-clock|hyperv_clocksource_tsc_page|xen)$/;

/** Whether the counter of this host runs evenly, on all processors alike and always. */
export function hasEvenCounter(
  flags = readFileSync("/proc/cpuinfo", "latin1"),
  clock = readFileSync("/sys/devices/system/clocksource/clocksource0/current_clocksource", "latin1"),
): boolean {
  const [, words = ""] = /^flags\s*:(.*)$/m.exec(flags) ?? [];
  return /\bconstant_tsc\b/.test(words) && /\bnonstop_tsc\b/.test(words) && good.test(clock.trim());
}

/**
 * How fast the counter is, in kHz. It takes 20 ms, and must be done here: a guest that measures it while its host is busy may be wrong by a multiple.
 * @returns undefined where the counter is no clock
 */
export function counterKHz(): number | undefined {
  try {
    return hasEvenCounter() ? measure() : undefined;
  } catch {
    // No such files: another kind of host.
    return undefined;
  }
}

function measure(): number | undefined {
  const init = memoryFile("runv-init", readInit());
  try {
    const { stdout } = Bun.spawnSync([`/proc/${process.pid}/fd/${init}`, "--tsc"], { env: {}, timeout: 5_000 });
    const kHz = Number(stdout.toString());
    return kHz > 0 ? kHz : undefined;
  } finally {
    closeSync(init);
  }
}
