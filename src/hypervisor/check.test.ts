import { expect, test } from "bun:test";
import { check, checkFails, type Finding, formatCheck } from "./check";
import { deviceFindings } from "./qemu/check";

const ok: Finding = { status: "ok", subject: "qemu", detail: "7.2" };
const warning: Finding = { status: "warning", subject: "/dev/kvm", detail: "none\u001b", fix: "modprobe kvm" };
const missing: Finding = { status: "missing", subject: "initrd", detail: "none", fix: "runv image build" };

test("aligned lines, without control characters", () => {
  expect(formatCheck([ok, warning, missing])).toBe(
    [
      "ok       qemu      7.2\n",
      "warning  /dev/kvm  none\\x1b  (fix: modprobe kvm)\n",
      "missing  initrd    none  (fix: runv image build)\n",
    ].join(""),
  );
  expect(formatCheck([])).toBe("");
});

test("only what is missing fails the check", () => {
  expect(checkFails([ok, warning])).toBe(false);
  expect(checkFails([ok, missing])).toBe(true);
});

test("a QEMU without 9p", () => {
  const list = 'name "virtserialport", bus virtio-serial-bus\nname "virtio-net-pci", bus PCI, alias "virtio-net"\n';
  const byName = Object.fromEntries(deviceFindings(list).map(({ subject, status }) => [subject, status]));
  expect(byName).toEqual({
    "qemu virtserialport": "ok",
    "qemu virtio-9p-pci": "missing",
    "qemu vhost-user-fs-pci": "warning",
    "qemu virtio-net-pci": "ok",
    "qemu virtio-balloon-pci": "warning",
  });
});

test("without kernel, initrd or driver the check says what to do", async () => {
  const findings = await check({
    driverOptions: {},
    kernel: "/nonexistent/kernel",
    initrd: "/nonexistent/initrd",
    driver: "bochs",
  });
  const missing = findings.filter(({ status }) => status === "missing");
  for (const subject of ["kernel", "initrd", "driver"]) expect(missing.map((each) => each.subject)).toContain(subject);
  for (const { fix } of missing) expect(fix).toBeDefined();
  expect(checkFails(findings)).toBe(true);
});
