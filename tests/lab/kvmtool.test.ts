/** kvmtool, which no distribution packages: where somebody has built it. */

import { vsockProblem } from "../../src/hypervisor/kvmtool/vsock";
import { findProgram } from "../../src/hypervisor/programs";
import { kvmProblem } from "../../src/hypervisor/qemu/kvm";
import { labTest } from "./lab";

labTest({
  kind: "kvm",
  driver: "kvmtool",
  also: ["kvmtool-inside.ts"],
  // Its machines boot, all of them.
  seconds: 1800,
  isHere: () => kvmProblem() === undefined && vsockProblem() === undefined,
  missing: () =>
    findProgram("lkvm") === undefined
      ? "it needs kvmtool's lkvm on the PATH, which no distribution packages"
      : undefined,
});
