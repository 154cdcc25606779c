/** KVM through QEMU. */
import { kvmProblem } from "../../src/hypervisor/qemu/kvm";
import { labTest } from "./lab";

labTest({
  kind: "kvm",
  driver: "kvm",
  also: ["kvm-inside.ts", "../drivers/errors.test.ts"],
  isHere: () => kvmProblem() === undefined,
});
