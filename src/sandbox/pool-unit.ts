/** A machine while it is in the pool: it has walked the way of a container once, and stands still. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { endContainer } from "../guest/end";
import type { Guest } from "../guest/guest";
import { lowerContainer } from "../guest/lower/container";
import { sharedSettings } from "../guest/lower/settings";
import { sharePath } from "../guest/places";
import { syncShare } from "../guest/prepare";
import { usualBeginning } from "../guest/usual-beginning";
import { wake } from "../guest/wake";
import { readInit } from "../image/init-binary";
import { readConfig } from "../oci/config";
import { formatDefaultConfig } from "../oci/spec";
import type { Sandbox } from "./connect";

/** What the container is called that walks the way; it is gone before the machine is anybody's. */
const id = "runv-pool";

/**
 * Brings a machine to where it waits in the pool. Under emulation nothing of the guest's code is translated before it has run once:
 * so a container is made and ended in it, of which nothing is left.
 * @param directory the sandbox's
 * @throws RunvError GUEST_…, VM_…
 */
export async function park({ machine, guest }: Sandbox, directory: string): Promise<void> {
  await walk(guest, directory);
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
 * @param directory the sandbox's
 * @throws RunvError GUEST_…
 */
export async function walk(guest: Guest, directory: string): Promise<void> {
  const tree = `${directory}/share/${id}`;
  mkdirSync(`${tree}/rootfs/bin`, { recursive: true });
  writeFileSync(`${tree}/rootfs/init`, readInit(), { mode: 0o755 });
  symlinkSync("/init", `${tree}/rootfs/bin/init`);
  const config = readConfig(JSON.parse(formatDefaultConfig()));
  config.process.terminal = false;
  config.process.args = ["init", "--exec", "0"];
  const rootfs = `${sharePath}/${id}/rootfs`;
  const plan = { id, bundle: "/", config, rootfs, sources: new Map(), settings: sharedSettings(config), credit: 4096 };
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
  rmSync(tree, { recursive: true });
}
