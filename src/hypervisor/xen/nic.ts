/** Network interfaces of a domain: Xen makes one of this host's for each, which is brought into this process's network namespace. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunvError } from "../../base/error";
import type { Nic } from "../driver";
import { xl } from "./toolstack";

/**
 * What libxl runs when Xen has made an interface, in the network namespace of who called xl. The interface is in that of the host.
 *
 * @see the scripts in /etc/xen/scripts
 */
const script = `#!/bin/sh
# Brings the interface of a virtual machine of runv's into the network namespace of its monitor. Written by runv.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[ "$1" = online ] || exit 0
name=$(xenstore-read "$XENBUS_PATH/vifname") &&
  nsenter --net=/proc/1/ns/net ip link set dev "$vif" netns $$ name "$name" &&
  exec xenstore-write "$XENBUS_PATH/hotplug-status" connected
xenstore-write "$XENBUS_PATH/hotplug-error" "runv: cannot move $vif" "$XENBUS_PATH/hotplug-status" error
`;

/** Adds an interface. @param directory where the script is kept @throws RunvError VM_XEN_REFUSED, UNSUPPORTED */
export async function addNic(driver: string, domain: string, { mac, backend }: Nic, directory: string): Promise<void> {
  if (backend === "user" || !("link" in backend)) throw noBackend(driver);
  const path = writeScript(directory);
  await xl("network-attach", domain, `mac=${mac}`, `script=${path}`, `vifname=${backend.link}`);
}

/** Takes an interface away. @throws RunvError VM_XEN_REFUSED */
export async function removeNic(domain: string, mac: string): Promise<void> {
  await xl("network-detach", domain, mac);
}

/** What is refused of taps, and of the host's network. */
export function noBackend(driver: string): RunvError {
  return new RunvError("UNSUPPORTED", `the driver ${driver} cannot take a tap or stand for a router`, {
    hint: "give the container a network namespace of its own, or use --driver qemu",
  });
}

function writeScript(directory: string): string {
  const path = join(directory, "xen-vif");
  try {
    if (readFileSync(path, "utf8") === script) return path;
  } catch {
    // It is the first time.
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, script, { mode: 0o700 });
  renameSync(temporary, path);
  return path;
}
