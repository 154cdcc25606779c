/** Xen, with paravirtual domains. */
import { xenProblem } from "../../src/hypervisor/xen/host";
import { labTest } from "./lab";

labTest({
  kind: "xen",
  driver: "xen",
  also: ["xen-inside.ts"],
  // A channel of Xen's passes two kilobytes at a time, each an event to both kernels: in software that takes its time.
  environment: { RUNV_TEST_STREAM_MIB: "1" },
  isHere: () => xenProblem("pv") === undefined,
});
