import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { capabilityTable, checkCapabilities, featureAnnotations, unsupported } from "./capabilities";
import { chooseDriver, driverSettings, drivers } from "./index";

const page = readFileSync(join(import.meta.dir, "../../docs/hypervisors.md"), "utf8");

test("the table of docs/hypervisors.md is what the drivers declare", () => {
  expect(page).toContain(`\n${capabilityTable()}\n`);
});

test("docs/hypervisors.md has every driver and every setting", () => {
  for (const { name, summary } of drivers()) expect(page).toContain(`| \`${name}\` | ${summary} |`);
  for (const { key } of driverSettings) expect(page).toContain(`\`${key}\``);
});

test("a refusal names the driver, what it cannot do, and an alternative", () => {
  expect(unsupported("kvmtool", "hotplugDisk")).toMatchObject({
    code: "UNSUPPORTED",
    message: "the driver kvmtool cannot add disks to a machine",
    hint: expect.stringMatching(/^mount the disk on the host, .*; or --driver qemu\|kvm\|tcg/),
  });
  // What no driver can has no other driver as its alternative.
  expect(unsupported("qemu", "balloon").hint).toBe("containers' limits hold in the guest");
});

test("a share that a driver does not have is refused", async () => {
  for (const [name, share, other] of [
    ["libvirt", "9p", "virtiofs"],
    ["kvmtool", "virtiofs", "9p"],
    ["libvirt", "fuse", "virtiofs"],
    ["kvmtool", "fuse", "9p"],
  ] as const) {
    const error = await chooseDriver(name, { share }).catch((thrown) => thrown);
    expect(error).toMatchObject({
      code: "UNSUPPORTED",
      message: `the driver ${name} cannot share files over ${share}`,
    });
    expect((await chooseDriver(name, { share: other })).name).toBe(name);
  }
  for (const [share, type] of [
    ["9p", "9p"],
    ["fuse", "virtiofs"],
    ["virtiofs", "virtiofs"],
  ] as const)
    expect((await chooseDriver("tcg", { share })).guestMount.type).toBe(type);
});

test("a share that keeps what is right needs no other choice", async () => {
  const error = await chooseDriver("tcg", { share: "fuse", share_cache: "loose" }).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: "UNSUPPORTED" });
  expect((await chooseDriver("tcg", { share: "fuse", share_cache: "mmap" })).name).toBe("tcg");
});

test("check and features tell the same", () => {
  const libvirt = drivers().find(({ name }) => name === "libvirt")!;
  expect(checkCapabilities(libvirt)).toMatchObject({
    status: "ok",
    subject: "driver libvirt",
    detail: expect.stringMatching(
      /^it can stop .*, add disks to a machine, .*; it cannot save a machine and clone it, .*$/,
    ),
  });
  expect(featureAnnotations()["org.hyper.runv.driver.libvirt"]).toBe(
    "pause,freePageReporting,hotplugNic,hotplugDisk,hotplugCpu,hotplugMemory",
  );
});

test.each(drivers().map((driver) => [driver.name, driver] as const))(
  "%s is there only where it is conceivable",
  async (_, driver) => {
    const { available } = await driver.probe();
    if (available) expect(driver.conceivable?.()).not.toBeFalse();
  },
);
