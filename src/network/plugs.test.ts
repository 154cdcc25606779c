import { expect, test } from "bun:test";
import { RunvError } from "../base/error";
import type { Machine } from "../hypervisor/driver";
import { makeNetworkNamespace } from "../linux/namespaces";
import { setLink } from "../linux/netlink/link";
import { portIndex } from "./cable";
import { readNetwork } from "./config";
import type { GuestNamespace } from "./guest-namespace";
import { HostNamespace } from "./host-namespace";
import { MachineNics } from "./nics";
import { Plugs } from "./plugs";
import { makeTap } from "./tap";

const root = process.getuid?.() === 0;
const machine = {} as Machine;

/** A guest that does not see its interface when it is asked for the first time, and binds a device to its driver once, as the kernel does. */
function slowGuest(): GuestNamespace {
  let [bound, asked] = [false, false];
  const call = async () => {
    if (bound) throw new RunvError("GUEST_CALL_FAILED", "show the spare network interface: device or resource busy");
    bound = true;
  };
  const take = async () => {
    if (asked) return 2;
    asked = true;
    throw new RunvError("NETWORK_GUEST", "the guest has no interface");
  };
  return { guest: { call }, take } as unknown as GuestNamespace;
}

test.skipIf(!root)(
  "the interface that a machine boots with can be joined again after the guest was too slow",
  async () => {
    const host = new HostNamespace(makeNetworkNamespace());
    const plugs = new Plugs(new MachineNics("tap"), host, false);
    host.enter(() => plugs.makeSpare());
    const cable = host.enter(() => makeTap("eth0"));
    host.netlink.change("set up eth0", setLink(portIndex(host.netlink, cable), { up: true }));
    try {
      const [link] = readNetwork(host.netlink).links;
      const guest = slowGuest();
      await expect(plugs.plug(link!, machine, guest, "virtio2")).rejects.toMatchObject({ code: "NETWORK_GUEST" });
      await plugs.plug(link!, machine, guest, "virtio2");
      expect(plugs.all.get(link!.index)).toMatchObject({ guestIndex: 2, port: { name: "runv0" } });
    } finally {
      cable.close();
      for (const { port } of plugs.all.values()) port.close();
      host.close();
    }
  },
);
