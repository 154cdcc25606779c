/** `runv check`: what this machine offers, what is missing, and the command that mends it. */

import { messageOf } from "../base/error";
import { escapeControls } from "../base/escape";
import { checkCapabilities } from "./capabilities";
import { checkHost } from "./check-host";
import { checkFiles, checkImage } from "./check-image";
import { checkTrial } from "./check-trial";
import type { Driver, DriverOptions, Finding } from "./driver";
import { chooseDriver } from "./index";

export type { Finding } from "./driver";

export interface CheckOptions {
  /** The driver's name, or "auto". */
  driver?: string | undefined;
  driverOptions: DriverOptions;
  kernel: string;
  initrd: string;
  /** Who says that it is these two. */
  imageFrom?: string;
}

/** Looks at everything. Takes about a second: QEMU is asked for its devices, the kernel is read, a machine is started. */
export async function check(options: CheckOptions): Promise<Finding[]> {
  const host = checkHost();
  const image = await checkImage(options);
  const driver = await findDriver(options);
  if (!("launch" in driver)) return [...host, driver, ...image];
  const hypervisor = await driver.check();
  const findings = [
    ...host,
    ...hypervisor,
    checkCapabilities(driver),
    ...image,
    ...checkFiles(driver, options.initrd, options.driverOptions),
  ];
  if (findings.some(({ status }) => status === "missing")) return findings;
  return [...findings, await checkTrial(driver, options.kernel, options.initrd)];
}

/** Whether something that is needed is missing. */
export function checkFails(findings: readonly Finding[]): boolean {
  return findings.some(({ status }) => status === "missing");
}

/** One aligned line for each finding. */
export function formatCheck(findings: readonly Finding[]): string {
  const width = Math.max(0, ...findings.map(({ subject }) => subject.length));
  const line = ({ status, subject, detail, fix }: Finding) =>
    `${status.padEnd(7)}  ${subject.padEnd(width)}  ${escapeControls(detail)}${fix === undefined ? "" : `  (fix: ${fix})`}\n`;
  return findings.map(line).join("");
}

async function findDriver(options: CheckOptions): Promise<Driver | Finding> {
  try {
    return await chooseDriver(options.driver, options.driverOptions);
  } catch (error) {
    return { status: "missing", subject: "driver", detail: messageOf(error), fix: "--driver auto" };
  }
}
