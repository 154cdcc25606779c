/**
 * Libvirt's daemons, for tests: in namespaces of their own, with directories of their own, so that the machine's libvirt is not disturbed
 * and no interface shows on the host. Their configuration is the distribution's but for the sockets.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../../../src/hypervisor/programs";
import { kvmProblem } from "../../../src/hypervisor/qemu/kvm";
import { identityOf } from "../../../src/linux/identity";
import { until } from "../../support/until";
import type { DriverUnderTest } from "./driver";

export interface Daemons {
  uri: string;
  /** The process of libvirtd. */
  pid: number;
  end(): Promise<void>;
}

/** What libvirt writes to; in the tests' own namespace there is nothing in it. */
const directories = ["/run/libvirt", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt"];

/** Starts them. @param directory a new one, for their sockets */
export async function startLibvirt(directory: string): Promise<Daemons> {
  mkdirSync(directory);
  for (const path of directories) mkdirSync(path, { recursive: true });
  const config = join(directory, "libvirtd.conf");
  writeFileSync(config, `unix_sock_dir = "${directory}"\nauth_unix_rw = "none"\n`);
  const pidFile = (name: string) => join(directory, `${name}.pid`);
  const script = [
    "set -e",
    ...directories.map((path) => `mount -t tmpfs none ${path}`),
    // A KVM that runs no kernels would have libvirt look at QEMU anew before each start: it is on, it is off.
    ...(kvmProblem() !== undefined && existsSync("/dev/kvm") ? devWithoutKvm(directory) : []),
    "ip link set lo up",
    `virtlogd -d -p ${pidFile("virtlogd")}`,
    `libvirtd -d -f ${config} -p ${pidFile("libvirtd")} 2>${directory}/libvirtd.log`,
  ];
  const started = Bun.spawn(["unshare", "--mount", "--net", "--propagation", "slave", "sh", "-c", script.join("\n")], {
    stdio: ["ignore", "ignore", "inherit"],
    // Nothing of the test's: what it starts lives longer than one test.
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  if ((await started.exited) !== 0) throw new Error(readFileSync(`${directory}/libvirtd.log`, "utf8"));
  const pids = ["libvirtd", "virtlogd"].map((name) => Number(readFileSync(pidFile(name), "utf8"))) as [number, number];
  const uri = `qemu+unix:///system?socket=${directory}/libvirt-sock`;
  // The first machine is not to wait until it knows its QEMU.
  await until("libvirtd answers", () => Bun.spawnSync(["virsh", "-c", uri, "domcapabilities"]).success, 60_000);
  return {
    uri,
    pid: pids[0],
    end: async () => {
      for (const pid of pids) {
        if (identityOf(pid) === undefined) continue;
        process.kill(pid);
        await until(`the daemon ${pid} ends`, () => identityOf(pid) === undefined, 60_000);
      }
    },
  };
}

/** A /dev without a device; libvirt makes QEMU's own of what it finds there. */
function devWithoutKvm(directory: string): string[] {
  const dev = join(directory, "dev");
  return [
    `mkdir ${dev}; mount -t tmpfs none ${dev}; mkdir ${dev}/pts ${dev}/shm`,
    `cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx /dev/net ${dev}`,
    `mount --bind /dev/pts ${dev}/pts; umount -l /dev; mount --move ${dev} /dev`,
  ];
}

export const libvirt: DriverUnderTest = {
  name: "libvirt",
  missing: () =>
    findProgram("libvirtd") === undefined || findProgram("virtlogd") === undefined || findProgram("virsh") === undefined
      ? "it needs libvirt-daemon-system, libvirt-daemon-driver-qemu and libvirt-clients"
      : undefined,
  prepare: async (directory) => {
    const daemons = await startLibvirt(join(directory, "libvirt"));
    return { flags: ["--libvirt-uri", daemons.uri], undo: daemons.end };
  },
};
