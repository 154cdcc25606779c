/**
 * A machine as people have them today: Debian 13 with systemd as its first process, cgroups of version 2 only, AppArmor, and the daemons of
 * Docker and libvirt as the distribution starts them. Its files are a tree that `lab/debian-tree` makes once and keeps; of this host it has the checkout.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { RunvError } from "../src/base/error";
import { run } from "../src/image/run";
import type { LabKind } from "./kinds";
import { commandLine } from "./order";

const packages = [
  ..."systemd systemd-sysv dbus apparmor linux-image-amd64 kmod xz-utils qemu-system-x86 qemu-utils docker.io docker-cli".split(
    " ",
  ),
  ..."containerd runc iptables nftables podman conmon netavark aardvark-dns procps iproute2 busybox-static".split(" "),
  ..."libvirt-daemon-system libvirt-clients libvirt-daemon-driver-qemu virtiofsd".split(" "),
  // What ./demo and ./test unit would install.
  ..."musl-tools binutils gcc libc6-dev xz-utils mandoc zsh fish".split(" "),
];

/** What takes time at each start and is of no use here. */
const masked = ["systemd-udev-settle", "apt-daily.timer", "e2scrub_reap", "systemd-timesyncd", "fstrim.timer"];

export const debian13: LabKind = {
  name: "debian13",
  cpu: "max",
  memoryMiB: 3072,
  async files() {
    const tree = join(import.meta.dir, "debian-tree");
    const layers = Buffer.from(await run([tree, "trixie", ...packages]))
      .toString()
      .trim()
      .split(":");
    const [top = ""] = layers;
    const modules = join(top, "usr/lib/modules");
    const release = readdirSync(modules)[0];
    if (release === undefined) throw new RunvError("IMAGE_NOT_FOUND", `${top} has no kernel`);
    return { layers, kernel: { kernel: join(top, "boot", `vmlinuz-${release}`), release, modules }, systemd: true };
  },
  async prepare({ kernel, initrd }) {
    const words = [commandLine("ttyS1"), ...masked.map((unit) => `systemd.mask=${unit}`), "systemd.firstboot=off"];
    return { boot: ["-kernel", kernel, "-initrd", initrd, "-append", words.join(" ")] };
  },
};
