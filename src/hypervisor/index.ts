/** The drivers there are, and which one to take. */
import { RunvError } from "../base/error";
import { hostDriver } from "../base/host-driver";
import { type Architecture, architecture, architectureWords, imageNameOf } from "../linux/syscalls";
import type { Driver, DriverFamily, DriverOptions, DriverSetting } from "./driver";
import { kvmtool } from "./kvmtool/driver";
import { libvirt } from "./libvirt/driver";
import { qemu } from "./qemu/driver";
import { xen } from "./xen/driver";

/** In the order in which `auto` tries them. */
const families: readonly DriverFamily[] = [xen, qemu, libvirt, kvmtool];

/** All drivers. `auto` takes the first that is available. */
export function drivers(options: DriverOptions = {}): readonly Driver[] {
  return families.flatMap((family) => family.drivers(options));
}

/** What can be chosen for them. */
export const driverSettings: readonly DriverSetting[] = families.flatMap(({ settings }) => settings);

/** Their keys in config.toml, and what each holds. */
export const driverKeys = Object.fromEntries(driverSettings.map(({ key, kind }) => [key, kind]));

/**
 * Finds the driver for `--driver`.
 * @param name the name of a driver, or "auto"
 * @throws RunvError VM_DRIVER_UNKNOWN, VM_DRIVER_SETTING, UNSUPPORTED (it has no such share), VM_DRIVER_UNAVAILABLE (no driver works), VM_QEMU_MISSING, VM_QEMU_OLD (nor does the only one)
 */
export async function chooseDriver(name = "auto", options: DriverOptions = {}): Promise<Driver> {
  checkSettings(options);
  const all = drivers(options);
  const guests = architectureWords[options.arch ?? ""] ?? architecture;
  if (name !== "auto") {
    if (name === hostDriver) {
      throw new RunvError("UNSUPPORTED", "the driver host starts no virtual machine, and this takes one", {
        hint: "--driver auto, or another; docs/host-driver.md says what containers without one have",
      });
    }
    const driver = all.find((driver) => driver.name === name);
    if (driver !== undefined) return withShare(runs(driver, guests), options);
    const known = ["auto", ...all.map((driver) => driver.name)].join(", ");
    throw new RunvError("VM_DRIVER_UNKNOWN", `there is no driver ${JSON.stringify(name)}`, { hint: `one of ${known}` });
  }
  const fit = all.filter((driver) => problemOf(driver, guests) === undefined && driver.conceivable?.() !== false);
  for (const driver of fit) if ((await driver.probe()).available) return withShare(driver, options);
  // None works: the launch of QEMU, which needs the least, says best why.
  return all.find(({ name }) => name === "qemu")!;
}

/** The driver, if its guests are of this architecture. */
function runs(driver: Driver, guests: Architecture): Driver {
  const problem = problemOf(driver, guests);
  if (problem === undefined) return driver;
  throw new RunvError("UNSUPPORTED", problem, { hint: "--driver tcg has, where QEMU emulates them" });
}

/** Why a driver has no guests of this architecture on a host of that; undefined if it has. */
export function problemOf(
  { name, host, architecture: own }: Pick<Driver, "name" | "host" | "architecture">,
  guests: Architecture,
  on: Architecture = architecture,
): string | undefined {
  if (host !== undefined && host !== on) {
    return `the driver ${name} has no machines on hosts of ${imageNameOf(on)}, only on those of ${imageNameOf(host)}`;
  }
  if ((own ?? on) === guests) return undefined;
  return `the driver ${name} has no machines of ${imageNameOf(guests)} on this host`;
}

/** The driver, if its share is the one that was asked for. */
function withShare(driver: Driver, { share }: DriverOptions): Driver {
  const { type, server = type } = driver.guestMount;
  if (share === undefined || share === server) return driver;
  throw new RunvError("UNSUPPORTED", `the driver ${driver.name} cannot share files over ${share}`, {
    hint: `--share ${server}; or --driver qemu`,
  });
}

function checkSettings(options: DriverOptions): void {
  if (options.share === "fuse" && options.share_cache === "loose") {
    throw new RunvError("UNSUPPORTED", "share_cache cannot be loose where files are shared over fuse", {
      hint: "leave it out: what the guest keeps there is right at all times",
    });
  }
  for (const { key, choices } of driverSettings) {
    const value = options[key];
    if (value === undefined || choices === undefined || choices.includes(value)) continue;
    throw new RunvError("VM_DRIVER_SETTING", `${key} cannot be ${JSON.stringify(value)}`, {
      hint: `one of ${choices.join(", ")}`,
    });
  }
}
