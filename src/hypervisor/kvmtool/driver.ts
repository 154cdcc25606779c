/** kvmtool (lkvm): a small hypervisor for KVM. */
import type { Capabilities, DriverFamily } from "../driver";
import { type NineCache, nineP } from "../nine-p";

const capabilities: Capabilities = {
  pause: true,
  template: false,
  fork: false,
  balloon: false,
  freePageReporting: false,
  hotplugNic: false,
  hotplugDisk: false,
  hotplugCpu: false,
  hotplugMemory: false,
};

export const kvmtool: DriverFamily = {
  settings: [{ key: "lkvm", kind: "path", usage: "kvmtool's program, if lkvm is not on the PATH" }],
  drivers: ({ lkvm, share_cache }) => [
    {
      name: "kvmtool",
      summary: "kvmtool, with KVM",
      capabilities,
      host: "x86_64",
      nics: "tap",
      guestMount: nineP("virtio", share_cache as NineCache | undefined),
      probe: async () => (await import("./check")).probeKvmtool(lkvm),
      check: async () => (await import("./check")).checkKvmtool(lkvm),
      launch: async (spec) => (await import("./launch")).launch(spec, { lkvm, capabilities }),
    },
  ],
};
