/** UpdateContainer: the limits that are asked for, as `runv update` takes them. */
import type { Received } from "./api/messages";

/** The document of `--resources`. What is 0 or empty is left as it is; -1 comes as 2^64-1. */
export function limitsOf(resources: Received<"UpdateResource">): unknown {
  const signed = (value: bigint) => BigInt.asIntN(64, value);
  return {
    memory: {
      limit: signed(resources.memoryLimit),
      reservation: signed(resources.memoryReservation),
      swap: signed(resources.memorySwap),
      kernel: signed(resources.kernelMemoryLimit),
      kernelTCP: signed(resources.kernelTCPMemoryLimit),
    },
    cpu: {
      shares: resources.cpuShares,
      period: resources.cpuPeriod,
      quota: signed(resources.cpuQuota),
      cpus: resources.cpusetCpus,
      mems: resources.cpusetMems,
    },
    blockIO: { weight: resources.blkioWeight },
  };
}
