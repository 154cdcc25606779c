/** KVM through QEMU. */
import { kvmProblem } from "../../src/hypervisor/qemu/kvm";
import { labTest } from "./lab";

labTest({
  kind: "kvm",
  driver: "kvm",
  also: ["kvm-inside.ts", "../drivers/errors.test.ts"],
  isHere: () => kvmProblem() === undefined,
  missing: () =>
    kvmProblem() === undefined || process.env.RUNV_TEST_LAB === "kvm"
      ? undefined
      : "it needs KVM; or RUNV_TEST_LAB=kvm, for the lab's, whose emulated processor goes wrong in one suite of two",
});
