/**
 * The machine as libvirt is told of it.
 *
 * @see https://libvirt.org/formatdomain.html
 */

import { XMLBuilder } from "fast-xml-parser";
import { sha256 } from "../../base/random";
import type { Disk, MachineSpec, Nic } from "../driver";
import { memorySlots } from "../qemu/hotplug";
import { type Accelerator, agentPort, kernelCommandLine, translatedMiB } from "../qemu/options";
import type { Owner } from "./places";

export interface Domain {
  spec: MachineSpec;
  accelerator: Accelerator;
  /** QEMU's program, if it is not libvirt's to choose. */
  emulator: string | undefined;
  /** See `QemuMachine`. */
  counterKHz?: number | undefined;
  /** Under whom QEMU runs. */
  owner: Owner;
  sockets: { agent: string; console: string; share: string };
}

const xml = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  suppressEmptyNode: true,
  suppressBooleanAttributes: false,
  format: true,
});

/** A machine's UUID follows from its name, so that it is found again by that. */
export function uuidOf(machine: string): string {
  const hex = sha256(machine);
  // Version 8: one's own (RFC 9562).
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** The document for `virsh create`. */
export function domainXml({ spec, accelerator, emulator, counterKHz, owner, sockets }: Domain): string {
  const { name, label = name, title, kernel, initrd, cpus, memoryMiB, share, nic } = spec;
  const most = {
    cpus: Math.max(cpus, spec.most?.cpus ?? 0),
    memoryMiB: Math.max(memoryMiB, spec.most?.memoryMiB ?? 0),
  };
  const socket = (path: string) => ({ "@type": "unix", source: { "@mode": "connect", "@path": path } });
  return xml.build({
    domain: {
      "@type": accelerator === "kvm" ? "kvm" : "qemu",
      name: label,
      uuid: uuidOf(name),
      ...(title !== undefined && { title }),
      ...(most.memoryMiB > memoryMiB && {
        maxMemory: { "@slots": memorySlots, "@unit": "MiB", "#text": most.memoryMiB },
      }),
      memory: mebibytes(memoryMiB),
      // Under emulation all are there, and the guest puts the first few to work: qemu/options.ts.
      vcpu: { "@current": accelerator === "tcg" ? most.cpus : cpus, "#text": most.cpus },
      // virtiofsd reads and writes the guest's memory.
      memoryBacking: { source: { "@type": "memfd" }, access: { "@mode": "shared" } },
      os: {
        type: { "@arch": "x86_64", "@machine": "pc", "#text": "hvm" },
        kernel,
        initrd,
        cmdline: kernelCommandLine({ ...spec, accelerator, counterKHz, sharesMemory: true }).join(" "),
      },
      features: {
        acpi: "",
        // What translated code may take; libvirt before 8.0 does not know of it.
        ...(accelerator === "tcg" && { tcg: { "tb-cache": mebibytes(translatedMiB) } }),
      },
      cpu: cpu(accelerator, most.cpus, memoryMiB),
      clock: { "@offset": "utc", timer: { "@name": "hpet", "@present": "no" } },
      on_poweroff: "destroy",
      on_reboot: "destroy",
      on_crash: "destroy",
      devices: {
        ...(emulator !== undefined && { emulator }),
        controller: { "@type": "usb", "@model": "none" },
        serial: socket(sockets.console),
        channel: { ...socket(sockets.agent), target: { "@type": "virtio", "@name": agentPort } },
        ...(share !== undefined && {
          filesystem: {
            "@type": "mount",
            driver: { "@type": "virtiofs", "@queue": 1024 },
            source: { "@socket": sockets.share },
            target: { "@dir": share.tag },
          },
        }),
        ...(nic?.backend === "user" && { interface: { "@type": "user", ...nicDevice(nic) } }),
        memballoon: { "@model": "virtio", "@freePageReporting": "on" },
      },
      // Nothing of the host's is given to libvirt's user: what it needs it can read, and the sockets are its own.
      seclabel: {
        "@type": "static",
        "@model": "dac",
        "@relabel": "no",
        label: `+${owner.uid}:+${owner.gid}`,
      },
    },
  });
}

/** The document for an interface whose other end on the host libvirt makes under a name. */
export function nicXml(nic: Nic, link: string): string {
  return xml.build({ interface: { "@type": "ethernet", target: { "@dev": link }, ...nicDevice(nic) } });
}

/** The document for a disk that somebody serves by NBD, under the name `disk`, at a socket. @param target libvirt's name for it */
export function diskXml({ id, readOnly }: Disk, target: string, socket: string): string {
  return xml.build({
    disk: {
      "@type": "network",
      "@device": "disk",
      driver: { "@name": "qemu", "@type": "raw" },
      source: { "@protocol": "nbd", "@name": "disk", host: { "@transport": "unix", "@socket": socket } },
      target: { "@dev": target, "@bus": "virtio" },
      serial: id,
      ...(readOnly && { readonly: "" }),
    },
  });
}

/** The document for a module of memory. */
export function memoryXml(memoryMiB: number): string {
  return xml.build({ memory: { "@model": "dimm", target: { size: mebibytes(memoryMiB), node: 0 } } });
}

function nicDevice({ mac }: Nic) {
  return { mac: { "@address": mac }, model: { "@type": "virtio" }, rom: { "@enabled": "no" } };
}

/** Memory can be added only to a machine that has a node of it. */
function cpu(accelerator: Accelerator, most: number, memoryMiB: number) {
  const cell = { "@id": 0, "@cpus": most === 1 ? "0" : `0-${most - 1}`, "@memory": memoryMiB, "@unit": "MiB" };
  const numa = { cell };
  if (accelerator === "kvm") return { "@mode": "host-passthrough", "@migratable": "off", numa };
  // Whole: libvirt does not know by name all that makes copying by bytes fast, and Linux hangs where only some of it is left (qemu/versions.ts).
  return { "@mode": "maximum", numa };
}

function mebibytes(size: number) {
  return { "@unit": "MiB", "#text": size };
}
