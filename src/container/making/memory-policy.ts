/** linux.memoryPolicy names memory nodes of the host; those that a process of the guest has are the machine's. */
import { readFileSync } from "node:fs";
import { RunvError } from "../../base/error";
import type { Linux } from "../../oci/linux";

/**
 * Refuses a memory policy that the guest cannot keep. Where the host has one memory node, the guest's only one is that, and whatever is said of it is
 * true of both. Where it has more, the machine's memory is where its hypervisor's threads get it: that is `MPOL_LOCAL` and `MPOL_DEFAULT`.
 * @param online the host's nodes, as the kernel lists them
 * @throws RunvError CONFIG_UNSUPPORTED
 */
export function assertMemoryPolicy({ memoryPolicy }: Linux, online = memoryNodes()): void {
  if (memoryPolicy === undefined || online === "0") return;
  const { mode } = memoryPolicy;
  if (mode === "MPOL_DEFAULT" || mode === "MPOL_LOCAL") return;
  throw new RunvError(
    "CONFIG_UNSUPPORTED",
    `linux.memoryPolicy: ${mode} is not supported on a host with several memory nodes: a guest has one, which is none of them`,
  );
}

/** The list of the host's nodes; a kernel without NUMA has one. */
function memoryNodes(): string {
  try {
    return readFileSync("/sys/devices/system/node/online", "utf8").trim();
  } catch {
    return "0";
  }
}
