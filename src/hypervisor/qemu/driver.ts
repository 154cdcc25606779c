/** QEMU, by KVM or by software emulation. */

import { architecture, architectureWords } from "../../linux/syscalls";
import type { Capabilities, Driver, DriverFamily } from "../driver";
import { type NineCache, nineCaches, nineP } from "../nine-p";
import { virtioFs } from "../virtio-fs";
import { platformOf } from "./platform";
import type { AcceleratorChoice } from "./probe";

const capabilities: Capabilities = {
  pause: true,
  template: true,
  fork: true,
  balloon: false,
  freePageReporting: true,
  hotplugNic: true,
  hotplugDisk: true,
  hotplugCpu: true,
  hotplugMemory: true,
};

/** `qemu`, which takes KVM when it truly works, and `kvm` and `tcg`, which take what they are called or fail. */
export const qemu: DriverFamily = {
  settings: [
    { key: "qemu", kind: "path", usage: "QEMU's program, if it is not on the PATH" },
    {
      key: "arch",
      kind: "text",
      choices: Object.keys(architectureWords),
      flag: "arch",
      usage: "architecture of the container and its machine: 'amd64' or 'arm64' (default: that of its command)",
    },
    {
      key: "share",
      kind: "text",
      choices: ["9p", "fuse", "virtiofs", "auto"],
      flag: "share",
      usage:
        "how files reach a guest: '9p' (default), of QEMU, 'fuse', of runv, 'virtiofs', of virtiofsd, or 'auto': by the guest's kernel",
    },
    { key: "virtiofsd", kind: "path", usage: "the program that serves files over virtiofs" },
    {
      key: "share_cache",
      kind: "text",
      choices: nineCaches,
      flag: "share-cache",
      usage: "what a guest keeps of its files: 'mmap' (default), or 'loose', quicker, if nobody else changes them",
    },
  ],
  drivers: (options) => {
    const { qemu, arch = "", share_cache, virtiofsd, cacheDirectory = "/var/lib/runv/cache" } = options;
    const share = options.share ?? options.usualShare;
    const cache = share_cache as NineCache | undefined;
    const wanted = architectureWords[arch];
    const guests = wanted === architecture ? undefined : wanted;
    const named = {
      ...{ qemu, cacheDirectory, guests },
      ...(share === "fuse" && { ownServer: true }),
      ...(share === "virtiofs" && { virtiofs: { virtiofsd, cache: cache === "loose" ? "always" : "auto" } as const }),
    };
    const can = { ...capabilities, hotplugMemory: platformOf(guests).growsMemory };
    const driver = (name: string, accelerator: AcceleratorChoice, summary: string): Driver => ({
      name,
      summary,
      ...(accelerator !== "kvm" && guests !== undefined && { architecture: guests }),
      capabilities: { ...can, fork: accelerator !== "kvm" },
      nics: "tap",
      // A clone gets it when it runs.
      guestMount:
        share === "virtiofs" || share === "fuse"
          ? { ...virtioFs, late: true, server: share, tellsChanges: share === "fuse" }
          : nineP("virtio", cache),
      probe: async () => (await import("./probe")).probeQemu(accelerator, named),
      check: async () => (await import("./check")).checkQemu(accelerator, named),
      launch: async (spec) => {
        const options = { ...named, driver: name, accelerator, capabilities: can };
        if (spec.fork !== undefined) return (await import("./launch-fork")).launchFork(spec, spec.fork, options);
        return (await import("./launch")).launch(spec, options);
      },
    });
    return [
      driver(
        "qemu",
        guests === undefined ? "auto" : "tcg",
        "QEMU with KVM where it truly works, else with software emulation",
      ),
      driver("kvm", "kvm", "QEMU with KVM"),
      driver("tcg", "tcg", "QEMU with software emulation"),
    ];
  },
};
