/** Libvirt: its daemon runs QEMU, its tools show and steer the machines. */
import type { Capabilities, DriverFamily } from "../driver";
import { virtioFs } from "../virtio-fs";

const capabilities: Capabilities = {
  pause: true,
  template: false,
  fork: false,
  balloon: false,
  freePageReporting: true,
  hotplugNic: true,
  hotplugDisk: true,
  hotplugCpu: true,
  hotplugMemory: true,
};

export const libvirt: DriverFamily = {
  settings: [
    {
      key: "libvirt_uri",
      kind: "text",
      flag: "libvirt-uri",
      usage: "where the driver libvirt finds its daemon (default: qemu:///system)",
    },
  ],
  drivers: ({ libvirt_uri: uri = "qemu:///system", virtiofsd, qemu }) => {
    const options = { uri, virtiofsd, qemu };
    return [
      {
        name: "libvirt",
        summary: "libvirt's QEMU, with KVM where it truly works",
        capabilities,
        host: "x86_64",
        nics: "link",
        guestMount: virtioFs,
        probe: async () => (await import("./check")).probeLibvirt(options),
        check: async () => (await import("./check")).checkLibvirt(options),
        launch: async (spec) => (await import("./launch")).launch(spec, options, capabilities),
        endOrphan: async (name) => (await import("./orphan")).endOrphan(name, uri),
      },
    ];
  },
};
