import { expect, test } from "bun:test";
import { drivers, problemOf } from "./index";

const withoutForeign = (on: "x86_64" | "aarch64") =>
  drivers()
    .filter((driver) => problemOf(driver, on, on) === undefined)
    .map(({ name }) => name);

test("on hosts of arm64 there is QEMU, and what is for PCs alone is refused by name", () => {
  expect(withoutForeign("aarch64")).toEqual(["qemu", "kvm", "tcg"]);
  expect(withoutForeign("x86_64")).toEqual(["xen", "xen-pvh", "qemu", "kvm", "tcg", "libvirt", "kvmtool"]);
  expect(problemOf({ name: "xen", host: "x86_64" }, "x86_64", "aarch64")).toBe(
    "the driver xen has no machines on hosts of arm64, only on those of amd64",
  );
  expect(problemOf({ name: "kvm" }, "x86_64", "aarch64")).toBe("the driver kvm has no machines of amd64 on this host");
  expect(problemOf({ name: "tcg", architecture: "x86_64" }, "x86_64", "aarch64")).toBeUndefined();
});
