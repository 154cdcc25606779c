import { expect, test } from "bun:test";
import { XMLParser } from "fast-xml-parser";
import type { MachineSpec } from "../driver";
import { domainXml, nicXml, uuidOf } from "./domain";

const spec: MachineSpec = {
  name: "runv-0123456789ab",
  label: "web & <co>",
  title: 'sh on "host"',
  directory: "/d",
  kernel: "/k",
  initrd: "/i",
  cpus: 1,
  memoryMiB: 128,
  most: { cpus: 4, memoryMiB: 1024 },
  share: { tag: "share", path: "/d/share" },
  nic: { id: "nic0", mac: "02:72:75:6e:76:00", backend: "user" },
};
const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: "@" });

function domain(change: Partial<MachineSpec> = {}, accelerator: "tcg" | "kvm" = "tcg") {
  const sockets = { agent: "/s/agent", console: "/s/console", share: "/s/share" };
  const owner = { uid: 7, gid: 8 };
  return parser.parse(domainXml({ spec: { ...spec, ...change }, accelerator, emulator: undefined, owner, sockets }))
    .domain;
}

test("a user's words are text, whatever is in them", () => {
  const { name, title, uuid } = domain();
  expect([name, title]).toEqual(["web & <co>", 'sh on "host"']);
  expect(uuid).toBe(uuidOf(spec.name));
  expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("the machine is libvirt's user's, and nothing of the host's is given to that", () => {
  expect(domain().seclabel).toEqual({ "@type": "static", "@model": "dac", "@relabel": "no", label: "+7:+8" });
});

test("the share, the channels and the network", () => {
  const { devices, memoryBacking } = domain();
  expect(devices.filesystem).toMatchObject({ source: { "@socket": "/s/share" }, target: { "@dir": "share" } });
  expect(memoryBacking.access["@mode"]).toBe("shared");
  expect(devices.channel).toMatchObject({ source: { "@mode": "connect" }, target: { "@name": "runv.agent" } });
  expect(devices.interface["@type"]).toBe("user");
  expect(parser.parse(nicXml(spec.nic!, "rv0")).interface.target["@dev"]).toBe("rv0");
});

test("room to grow, and the processor by accelerator", () => {
  expect(domain({}, "kvm").vcpu).toEqual({ "#text": 4, "@current": "1" });
  // Emulated, all are there, and the guest begins with those that it is to have.
  expect(domain().vcpu).toEqual({ "#text": 4, "@current": "4" });
  expect(domain().os.cmdline).toContain(" maxcpus=1 ");
  expect(domain().cpu).toMatchObject({ "@mode": "maximum", numa: { cell: { "@cpus": "0-3", "@memory": "128" } } });
  expect(domain().maxMemory["#text"]).toBe(1024);
  // QEMU refuses slots for memory that there is no room for.
  expect(domain({ most: { cpus: 1, memoryMiB: 128 } })).not.toHaveProperty("maxMemory");
  expect(domain({}, "kvm").cpu["@mode"]).toBe("host-passthrough");
  expect(domain({}, "kvm")["@type"]).toBe("kvm");
  expect(domain().features.tcg["tb-cache"]).toMatchObject({ "@unit": "MiB", "#text": 128 });
  expect(domain({}, "kvm").features).not.toHaveProperty("tcg");
});
