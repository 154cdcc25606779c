import { expect, test } from "bun:test";
import type { MachineSpec } from "../driver";
import { domainConfig, mostOf } from "./config";
import type { DomainType } from "./host";

const spec: MachineSpec = {
  name: "runv-1",
  directory: "/run/s",
  kernel: "/k",
  initrd: "/i",
  cpus: 1,
  memoryMiB: 128,
  most: { cpus: 4, memoryMiB: 4096 },
  share: { tag: "share", path: "/run/s/share" },
};

/** The settings as xl reads them. */
function settings(more: Partial<MachineSpec> = {}, type: DomainType = "pv"): Record<string, string> {
  const lines = domainConfig({ ...spec, ...more }, type)
    .trimEnd()
    .split("\n");
  return Object.fromEntries(lines.map((line) => line.split(/ = (.*)/s).slice(0, 2)));
}

test("a domain", () => {
  const { cmdline, ...rest } = settings();
  expect(rest).toEqual({
    name: '"runv-1"',
    type: '"pv"',
    kernel: '"/k"',
    ramdisk: '"/i"',
    vcpus: "1",
    maxvcpus: "4",
    memory: "128",
    maxmem: "512",
    on_poweroff: '"destroy"',
    on_reboot: '"destroy"',
    on_crash: '"destroy"',
    channel: `[ ${[0, 1].map((index) => `"name=runv.agent.${index},connection=socket,path=/run/s/agent-${index}"`).join(", ")} ]`,
    p9: '[ "tag=share,path=/run/s/share,security_model=none" ]',
  });
  expect(cmdline).toMatch(/^"console=hvc0 .*panic=-1 .* runv.agent=\/dev\/hvc1"$/);
  expect(cmdline).not.toContain("ttyS0");
});

test("PVH, without a share, with words of one's own", () => {
  const { type, p9, cmdline } = settings({ commandLine: ["debug"], share: undefined as never }, "pvh");
  expect([type, p9]).toEqual(['"pvh"', undefined as never]);
  expect(cmdline).toEndWith(' debug"');
});

test("memory grows to four times what it was, and never beyond the host's", () => {
  const now = { cpus: 1, memoryMiB: 128 };
  expect(mostOf(now)).toEqual(now);
  expect(mostOf({ ...now, most: { cpus: 2, memoryMiB: 256 } })).toEqual({ cpus: 2, memoryMiB: 256 });
  expect(mostOf({ ...now, most: { cpus: 1, memoryMiB: 65536 } })).toEqual({ cpus: 1, memoryMiB: 512 });
});

test("a text has the quotes that it does not hold, and what xl cannot read is refused", () => {
  expect(settings({ kernel: '/a"b' }).kernel).toBe(`'/a"b'`);
  for (const kernel of [`/a"'b`, "/a\nb", "/a\\b"]) {
    expect(() => settings({ kernel })).toThrow(
      `describe the machine to xl: ${JSON.stringify(kernel)} cannot be written`,
    );
  }
});
