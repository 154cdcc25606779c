/** `runv interface`, as runV 1.0 had it. */
import { RunvError } from "../base/error";
import { print } from "../base/output";
import { decodeLink, getLinks, setLink } from "../linux/netlink/link";
import { NetlinkSocket } from "../linux/netlink/socket";
import { makeTap } from "../network/tap";
import type { InterfaceOptions } from "./options";
import { withLock } from "./record/lock";
import { openContainer, withSandbox } from "./record/open";
import { formatTable } from "./table";

/** @returns the exit code */
export async function changeInterface({ global, id, change }: InterfaceOptions): Promise<number> {
  await withLock(global.root, id, async () => {
    const { record, status } = openContainer(global.root, id);
    if (status !== "running" && status !== "created" && status !== "paused") {
      throw new RunvError("CONTAINER_NOT_RUNNING", "container not running");
    }
    await withSandbox(global.root, record, async (client) => {
      if (change.do === "list") {
        const rows = (await client.interfaces(id, change)).map(({ name, mac, addresses, mtu }) => {
          return [name, mac, addresses.join(","), String(mtu)];
        });
        print(formatTable(["Name", "Mac", "IP", "Mtu"], rows));
      } else if (change.do === "add") {
        const { tapName, ...wanted } = change;
        const tap = openTap(tapName);
        try {
          await client.interfaces(id, { ...wanted, pid: process.pid, tap: tap.backend.tap });
        } finally {
          tap.close();
        }
        print("Add interface successfully.\n");
      } else {
        await client.interfaces(id, change);
        const { name } = change;
        print(change.do === "remove" ? `Interface "${name}" is deleted\n` : `Interface "${name}" is updated\n`);
      }
    });
  });
  return 0;
}

/** Makes a tap in this command's namespace, or takes one that is there, and sets it up. */
function openTap(name: string) {
  const tap = makeTap(name);
  const socket = new NetlinkSocket();
  try {
    const link = socket.list(getLinks(), decodeLink).find((link) => link.name === name);
    if (link !== undefined) socket.change(`set up ${name}`, setLink(link.index, { up: true }));
    return tap;
  } finally {
    socket.close();
  }
}
