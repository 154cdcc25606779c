/** The linux object: config-linux.md. */
import { devices } from "./devices";
import { idMappings } from "./ids";
import { intelRdt } from "./intel-rdt";
import { memoryPolicy } from "./memory-policy";
import { rootfsPropagations } from "./mount-options";
import { namespaces } from "./namespaces";
import { netDevices } from "./net-devices";
import { defaulted, type Infer, list, map, object, optional, optionalString } from "./reader";
import { resources } from "./resources";
import { absolutePath, oneOf, string, strings } from "./scalars";
import { seccomp } from "./seccomp";
import { timeOffsets } from "./time-offsets";

export const linux = object({
  namespaces,
  uidMappings: optional(idMappings),
  gidMappings: optional(idMappings),
  timeOffsets: optional(timeOffsets),
  devices,
  netDevices: optional(netDevices),
  cgroupsPath: optionalString(string),
  resources: optional(resources),
  sysctl: defaulted(map(string), () => ({})),
  seccomp: optional(seccomp),
  rootfsPropagation: optionalString(oneOf("propagation", rootfsPropagations)),
  maskedPaths: list(absolutePath, "strings"),
  readonlyPaths: list(absolutePath, "strings"),
  mountLabel: optionalString(string),
  intelRdt: optional(intelRdt),
  memoryPolicy: optional(memoryPolicy),
  personality: optional(
    object({ domain: oneOf("personality domain", ["LINUX", "LINUX32"]), flags: optional(strings) }),
  ),
});

export interface Linux extends Infer<typeof linux> {}
