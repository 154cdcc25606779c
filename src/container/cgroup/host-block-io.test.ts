import { expect, test } from "bun:test";
import { resources } from "../../oci/resources";
import { blockIoFiles } from "./host-block-io";

test("limits of the host's devices, for either version", () => {
  const device = { major: 8, minor: 0 };
  const { blockIO } = resources({
    blockIO: {
      throttleReadBpsDevice: [{ ...device, rate: 1000 }],
      throttleWriteIOPSDevice: [{ ...device, rate: 20 }],
      weightDevice: [{ ...device, weight: 300 }],
    },
  });
  expect(blockIoFiles(2, blockIO)).toEqual([
    ["io.max", "8:0 rbps=1000"],
    ["io.max", "8:0 wiops=20"],
    ["io.bfq.weight", "8:0 300"],
  ]);
  expect(blockIoFiles(1, blockIO)).toEqual([
    ["blkio.throttle.read_bps_device", "8:0 1000"],
    ["blkio.throttle.write_iops_device", "8:0 20"],
    ["blkio.bfq.weight_device", "8:0 300"],
  ]);
  expect(blockIoFiles(2, undefined)).toEqual([]);
});
