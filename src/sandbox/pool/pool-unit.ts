/** A machine while it is in the pool: it has walked the way of a container once, and stands still. */
import { closeSync, writeFileSync } from "node:fs";
import { endContainer } from "../../guest/end";
import type { Guest } from "../../guest/guest";
import { lowerContainer } from "../../guest/lower/container";
import { sharedSettings } from "../../guest/lower/settings";
import { sharePath } from "../../guest/places";
import { syncShare } from "../../guest/prepare";
import { usualBeginning } from "../../guest/usual-beginning";
import { wake } from "../../guest/wake";
import { readInit } from "../../image/init-binary";
import { O_CLOEXEC, O_CREAT, O_EXCL, O_WRONLY } from "../../linux/constants";
import { syscall } from "../../linux/local";
import type { Architecture } from "../../linux/syscalls";
import { readConfig } from "../../oci/config";
import { formatDefaultConfig } from "../../oci/spec";
import type { Share } from "../../share/share";
import { emptyTree, restrictTree, unchanged } from "../../share/tree";
import type { Sandbox } from "../connect";

/** What the container is called that walks the way; it is gone before the machine is anybody's. */
const id = "runv-pool";

/**
 * Brings a machine to where it waits in the pool. Under emulation nothing of the guest's code is translated before it has run once:
 * so a container is made and ended in it, of which nothing is left.
 * @throws RunvError GUEST_…, VM_…
 */
export async function park({ machine, guest, architecture }: Sandbox, share: Share): Promise<void> {
  await walk(guest, share, architecture);
  await machine.pause();
}

/** Has it go on, and makes it a machine of its own: only then it learns the time, and random numbers that nobody has. */
export async function unpark({ machine, guest }: Sandbox): Promise<void> {
  await Promise.all([machine.resume(), guest.call(wake())]);
}

/** A kernel puts off what it has to do for a container that is gone: to free its cgroup it waits for grace periods of RCU, a few dozen ms each. */
const settleMs = 200;

/**
 * Makes a container whose command is init, which does what most programs begin with, and removes it.
 * @throws RunvError GUEST_…
 */
export async function walk(guest: Guest, share: Share, architecture: Architecture | undefined): Promise<void> {
  shareInit(share, readInit(architecture));
  const config = readConfig(JSON.parse(formatDefaultConfig()));
  config.process.terminal = false;
  config.process.args = ["init", "--exec", "0"];
  const rootfs = `${sharePath}/${id}/rootfs`;
  const plan = {
    id,
    bundle: "/",
    config,
    rootfs,
    sources: new Map(),
    settings: sharedSettings(config, architecture),
    credit: 4096,
  };
  const container = guest.run(lowerContainer(plan).main, {
    data: (stream, { length }) => container.credit(stream, length),
  });
  await container.next();
  container.go();
  container.write(usualBeginning("/init").bytes);
  container.end(0);
  await container.exited;
  await endContainer(guest, id);
  await guest.call(syncShare());
  await Bun.sleep(settleMs);
  share.detach(id);
}

/** Its root file system: init, where programs are looked for. */
function shareInit(share: Share, init: Uint8Array): void {
  const tree = emptyTree();
  try {
    const file = syscall("openat", tree, "init", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o755);
    try {
      writeFileSync(file, init);
    } finally {
      closeSync(file);
    }
    syscall("mkdirat", tree, "bin", 0o755);
    syscall("symlinkat", "/init", tree, "bin/init");
    restrictTree(tree, unchanged);
    share.attach(tree, `${id}/rootfs`, true);
  } finally {
    closeSync(tree);
  }
}
