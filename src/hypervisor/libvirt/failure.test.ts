import { expect, test } from "bun:test";
import { notConnected, refused } from "./failure";

const uri = "qemu:///system";

// As virsh 9.0 said it.
test.each([
  ["Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory", "VM_LIBVIRT_DAEMON"],
  ["Failed to connect socket to '/var/run/libvirt/libvirt-sock': Connection refused", "VM_LIBVIRT_DAEMON"],
  ["Failed to connect socket to '/run/libvirt-sock': Permission denied", "VM_LIBVIRT_DENIED"],
  [
    "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'",
    "VM_LIBVIRT_DENIED",
  ],
  ["no connection driver available for foo:///x", "VM_LIBVIRT_URI"],
  ["internal error: unexpected qemu URI path '/nosuch', try qemu:///system", "VM_LIBVIRT_URI"],
  ["internal error: Unable to parse URI ::::", "VM_LIBVIRT_URI"],
  [
    "invalid argument: remote_open: transport in URL not recognised (should be tls|unix|ssh|ext|tcp|libssh2|libssh)",
    "VM_LIBVIRT_URI",
  ],
])("%s", (words, code) => {
  const error = notConnected(uri, `error: failed to connect to the hypervisor\nerror: ${words}\n`);
  expect(error).toMatchObject({ code, message: `connect to libvirt at ${uri}: ${words}` });
  expect(error.hint).toBeDefined();
});

test("a refusal is told in libvirt's words, without control characters", () => {
  const said = "virsh # create x.xml\nerror: Failed to create domain from x.xml\nerror: internal error: \u001b[1mno\n";
  expect(refused("create", said)).toMatchObject({
    code: "VM_LIBVIRT_REFUSED",
    message: "libvirt: create: Failed to create domain from x.xml; internal error: \\x1b[1mno",
  });
});

test("what the host's configuration decides has a hint", () => {
  const denied = "error: Could not open '/k/kernel': Permission denied\n";
  expect(refused("create", denied).hint).toContain("must be able to read kernel and initrd");
});

test("a kernel that libvirt's user cannot read, or does not see, is none of a wrong format", () => {
  const words = (why: string) =>
    `error: internal error: process exited while connecting to monitor: qemu: could not load kernel '/k/kernel': ${why}\n`;
  expect(refused("create", words("Permission denied"))).toMatchObject({
    code: "VM_LIBVIRT_REFUSED",
    hint: expect.stringContaining("must be able to read kernel and initrd"),
  });
  expect(refused("create", words("No such file or directory"))).toMatchObject({
    code: "VM_LIBVIRT_REFUSED",
    hint: expect.stringContaining("must see the host's files"),
  });
  expect(refused("create", words("Success")).code).toBe("VM_KERNEL_FORMAT");
});
