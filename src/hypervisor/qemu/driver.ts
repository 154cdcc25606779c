/** QEMU, by KVM or by software emulation. */
import type { Capabilities, Driver, DriverOptions } from "../driver";
import { checkQemu } from "./check";
import { launch } from "./launch";
import { type AcceleratorChoice, probeQemu } from "./probe";

const capabilities: Capabilities = {
  pause: true,
  template: true,
  balloon: false,
  freePageReporting: false,
  hotplugNic: true,
  hotplugDisk: false,
  hotplugCpu: true,
  hotplugMemory: true,
};

const cacheDirectory = "/var/lib/runv/cache";

/** `qemu`, which takes KVM when it truly works, and `kvm` and `tcg`, which take what they are called or fail. */
export function qemuDrivers(options: DriverOptions): Driver[] {
  const named = { cacheDirectory, ...options };
  const driver = (name: string, accelerator: AcceleratorChoice, summary: string): Driver => ({
    name,
    summary,
    capabilities,
    nics: "tap",
    probe: () => probeQemu(accelerator, named),
    check: () => checkQemu(accelerator, named),
    launch: (spec) => launch(spec, { ...named, driver: name, accelerator, capabilities }),
  });
  return [
    driver("qemu", "auto", "QEMU with KVM where it truly works, else with software emulation"),
    driver("kvm", "kvm", "QEMU with KVM"),
    driver("tcg", "tcg", "QEMU with software emulation"),
  ];
}
