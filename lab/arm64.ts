/**
 * A machine of arm64, with Debian's files for it: unpacked and not configured, which takes a minute and not the ten of a second stage in an
 * emulated machine. QEMU emulates the processor's EL2, so KVM works in it.
 */
import { join } from "node:path";
import { aptFor } from "../src/image/apt";
import { defaultCache } from "../src/image/paths";
import { run } from "../src/image/run";
import type { LabKind } from "./kinds";
import { findKernel } from "./modules";
import { commandLine } from "./order";
import { unpackSystem } from "./packages";

const packages = [
  ..."mount kmod iproute2 procps tmux qemu-system-arm qemu-system-x86 qemu-utils busybox-static e2fsprogs iptables runc git socat xz-utils".split(
    " ",
  ),
  // What ./demo would install.
  ..."musl-tools binutils gcc libc6-dev".split(" "),
];

export const arm64: LabKind = {
  name: "arm64",
  architecture: "aarch64",
  // Its pointers are signed by an algorithm of QEMU's that is quicker to emulate than the processor's.
  cpu: "max,pauth-impdef=on",
  memoryMiB: 4096,
  async files(progress) {
    await run([join(import.meta.dir, "arm64-parts")]);
    const apt = await aptFor("aarch64", defaultCache, progress);
    const tree = await unpackSystem(packages, apt, progress);
    return { layers: [tree], kernel: await findKernel(progress, "aarch64"), systemd: false };
  },
  async prepare({ kernel, initrd }) {
    return { boot: ["-kernel", kernel, "-initrd", initrd, "-append", commandLine("ttyAMA0")] };
  },
};
