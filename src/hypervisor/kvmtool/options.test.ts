import { expect, test } from "bun:test";
import { lkvmArguments } from "./options";

const machine = {
  name: "runv-1",
  kernel: "/kernel",
  initrd: "/initrd",
  cpus: 2,
  memoryMiB: 256,
  vsock: { cid: 77, port: 1234 },
  tap: 3,
};
const text = (more = {}) => lkvmArguments({ ...machine, ...more }).join(" ");

test("a machine without share and network", () => {
  expect(text()).toStartWith(
    "run --name runv-1 --nodefaults --loglevel warning --cpus 2 --mem 256M --console serial --vsock 77 " +
      "--network mode=none --kernel /kernel --initrd /initrd --params console=ttyS0 ",
  );
});

test("the share, and a tap that it is given", () => {
  const nic = { id: "nic0", mac: "52:54:00:00:00:01", backend: { tap: 9 } };
  expect(text({ share: { tag: "share", path: "/share" }, nic })).toContain(
    "--9p /share,share --network mode=tap,fd=3,tapif=/dev/net/tun,guest_mac=52:54:00:00:00:01,script=none,downscript=none ",
  );
});

test("the guest is told where its agent is awaited; words of the caller's come last", () => {
  expect(lkvmArguments({ ...machine, commandLine: ["debug"] }).at(-1)).toEndWith(
    " noapic noacpi pci=conf1 i8042.direct=1 i8042.dumbkbd=1 i8042.nopnp=1 i8042.noaux=1 loglevel=6 runv.agent=vsock:1234 debug",
  );
});
