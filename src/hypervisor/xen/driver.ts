/** Xen, by its xl toolstack, in dom0. */
import { existsSync } from "node:fs";
import type { Capabilities, Driver, DriverFamily } from "../driver";
import { nineP } from "../nine-p";
import type { DomainType } from "./host";

const capabilities: Capabilities = {
  pause: true,
  template: false,
  fork: false,
  balloon: false,
  freePageReporting: false,
  hotplugNic: true,
  hotplugDisk: false,
  hotplugCpu: true,
  hotplugMemory: true,
};

/** Only kernels that run on a hypervisor of this kind have it: Documentation/ABI/stable/sysfs-hypervisor-xen. */
const hypervisorType = "/sys/hypervisor/type";

/** `xen`, whose domains need nothing of the processor, and `xen-pvh`, whose domains need virtualization and are quicker with it. */
export const xen: DriverFamily = {
  settings: [],
  drivers: ({ cacheDirectory = "/var/lib/runv/cache" }) => {
    const driver = (name: string, type: DomainType, summary: string): Driver => ({
      name,
      summary,
      capabilities,
      host: "x86_64",
      nics: "link",
      nicModules: ["xen_netfront"],
      guestMount: nineP("xen"),
      conceivable: () => existsSync(hypervisorType),
      probe: async () => (await import("./check")).probeXen(type),
      check: async () => (await import("./check")).checkXen(type),
      launch: async (spec) =>
        (await import("./launch")).launch(spec, { cacheDirectory, driver: name, type, capabilities }),
      endOrphan: async (domain) => (await import("./orphan")).endOrphan(domain),
    });
    return [
      driver("xen", "pv", "Xen with paravirtual domains"),
      driver("xen-pvh", "pvh", "Xen with PVH domains, which need the processor's virtualization"),
    ];
  },
};
