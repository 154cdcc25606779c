import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { hostKernel } from "./host";
import { findConfig, findKernelFiles } from "./kernel-files";
import { readModuleTree } from "./module-tree";
import { optionGroups, optionsLackingIn, readConfig } from "./options";

const scratch = mkdtempSync(join(tmpdir(), "runv-host-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A root directory with these files, which hold their own paths unless something else is said. */
function root(name: string, ...files: (string | [string, Uint8Array | string])[]): string {
  for (const each of files) {
    const [path, data] = typeof each === "string" ? [each, each] : each;
    mkdirSync(dirname(join(scratch, name, path)), { recursive: true });
    writeFileSync(join(scratch, name, path), data);
  }
  return join(scratch, name);
}

/** The beginning of a bzImage that says its release. */
function bzImage(release: string): Uint8Array {
  const bytes = Buffer.alloc(4096);
  bytes.write("HdrS", 0x202);
  bytes.writeUInt16LE(0x400, 0x20e);
  bytes.write(`${release} (somebody) #1`, 0x600);
  return bytes;
}

const systems: Record<string, [release: string, kernel: string | [string, Uint8Array], modules: string]> = {
  "Debian 12, Ubuntu": ["6.1.0-9-amd64", "boot/vmlinuz-6.1.0-9-amd64", "lib/modules"],
  "Debian 13": ["6.12.9-amd64", "boot/vmlinuz-6.12.9-amd64", "usr/lib/modules"],
  "Debian after 13, Arch": ["7.2.1-arch1", "usr/lib/modules/7.2.1-arch1/vmlinuz", "usr/lib/modules"],
  Fedora: ["6.19.5-300.fc44.x86_64", "lib/modules/6.19.5-300.fc44.x86_64/vmlinuz", "lib/modules"],
  Gentoo: ["6.18.1-gentoo", "boot/kernel-6.18.1-gentoo", "lib/modules"],
  Alpine: ["6.18.9-0-lts", ["boot/vmlinuz-lts", bzImage("6.18.9-0-lts")], "lib/modules"],
  NixOS: ["6.18.3", "run/booted-system/kernel", "run/booted-system/kernel-modules/lib/modules"],
};
for (const [name, [release, kernel, modules]] of Object.entries(systems)) {
  test(`${name}: kernel and modules are found`, () => {
    const path = typeof kernel === "string" ? kernel : kernel[0];
    const tree = `${modules}/${release}`;
    const home = root(name, kernel, `${tree}/modules.builtin`, "boot/vmlinuz-other", ["boot/vmlinuz-2", bzImage("2")]);
    expect(hostKernel(home, release)).toEqual({
      name: `this host, ${release}`,
      kernel: join(home, path),
      modules: join(home, tree),
      config: join(home, "proc/config.gz"),
    });
  });
}

test("what is not there is said, with the places where it was looked for", () => {
  const code = "IMAGE_HOST_KERNEL";
  const failure = (home: string) => {
    try {
      return hostKernel(home, "6.1-x");
    } catch (error) {
      return error;
    }
  };
  const upgraded = root("upgraded", "boot/vmlinuz-6.2-x", "lib/modules/6.2-x/modules.builtin");
  expect(failure(upgraded)).toMatchObject({ code, message: expect.stringContaining("/boot/vmlinuz-6.1-x") });
  expect(failure(upgraded)).toMatchObject({ hint: expect.stringContaining("reboot") });
  const alone = root("alone", "boot/vmlinuz-6.1-x", "lib/modules/6.1-x/kernel/a.ko");
  expect(failure(alone)).toMatchObject({ code, message: expect.stringContaining("modules.builtin") });
});

test("of its configuration, options that a container needs and that are not there are told", () => {
  const names = optionGroups.flatMap((group) => group.names);
  const config = (lacking: string[]) =>
    names.map((name) => (lacking.includes(name) ? `# CONFIG_${name} is not set` : `CONFIG_${name}=y`)).join("\n");
  expect(optionsLackingIn(config([]))).toEqual([]);
  expect(optionsLackingIn(config(["SECCOMP_FILTER", "MEMCG"]))).toEqual(["MEMCG", "SECCOMP_FILTER"]);
});

test("IPv6 that is no module in no list is built in by the kernel's configuration", () => {
  const of = (name: string, config: string, value: string) =>
    root(name, "lib/modules/7-x/modules.builtin", [config, `CONFIG_A=m\nCONFIG_IPV6=${value}\n`]);
  const text = "CONFIG_IPV6=y\n";
  const builtin = (home: string) => readModuleTree(join(home, "lib/modules"), "7-x").builtin.has("ipv6");
  expect(builtin(of("config-in-boot", "boot/config-7-x", "y"))).toBe(true);
  expect(builtin(of("config-beside", "lib/modules/7-x/config", "y"))).toBe(true);
  expect(builtin(of("config-module", "boot/config-7-x", "m"))).toBe(false);
  const shown = root("config-of-the-running", "lib/modules/7-x/modules.builtin", ["proc/config.gz", gzipSync(text)]);
  expect(readConfig(join(shown, "lib/modules/7-x"), "7-x", join(shown, "proc/config.gz"))).toBe(text);
  expect(readConfig(join(shown, "lib/modules/7-x"), "7-x")).toBeUndefined();
  expect(findConfig(join(scratch, "alone/lib/modules/6.1-x"), "6.1-x")).toBeUndefined();
  expect(findKernelFiles(join(scratch, "nowhere"), "7-x")).toEqual({});
});
