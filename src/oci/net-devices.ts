/** linux.netDevices: config-linux.md, "Network Devices". Keys are names of the host's devices. */
import { checked, map, object, optionalString } from "./reader";
import { string } from "./scalars";

/** What the kernel's dev_valid_name() accepts. */
function isDeviceName(name: string): boolean {
  return name !== "." && name !== ".." && Buffer.byteLength(name) < 16 && /^[^/:\s]+$/.test(name);
}

const says = (name: string) => (isDeviceName(name) ? undefined : `invalid network device name ${JSON.stringify(name)}`);

export const netDevices = checked(map(object({ name: optionalString(checked(string, says)) })), (all) =>
  Object.keys(all).map(says).find(Boolean),
);
