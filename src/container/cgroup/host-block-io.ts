/** linux.resources.blockIO on the host, whose devices it names: a guest's reads and writes are its hypervisor's. */
import type { BlockIOResources } from "../../oci/resources";

const kinds = [
  ["throttleReadBpsDevice", "rbps", "read_bps_device"],
  ["throttleWriteBpsDevice", "wbps", "write_bps_device"],
  ["throttleReadIOPSDevice", "riops", "read_iops_device"],
  ["throttleWriteIOPSDevice", "wiops", "write_iops_device"],
] as const;

/** The files of a cgroup of this version, each with a line to write. */
export function blockIoFiles(version: 1 | 2, blockIO: BlockIOResources | undefined): [file: string, value: string][] {
  if (blockIO === undefined) return [];
  const files: [string, string][] = [];
  for (const [field, key, legacy] of kinds) {
    for (const { major, minor, rate } of blockIO[field]) {
      if (version === 2) files.push(["io.max", `${major}:${minor} ${key}=${rate}`]);
      else files.push([`blkio.throttle.${legacy}`, `${major}:${minor} ${rate}`]);
    }
  }
  for (const { major, minor, weight } of blockIO.weightDevice) {
    if (weight === undefined) continue;
    files.push([version === 2 ? "io.bfq.weight" : "blkio.bfq.weight_device", `${major}:${minor} ${weight}`]);
  }
  return files;
}
