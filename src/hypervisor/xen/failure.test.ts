import { expect, test } from "bun:test";
import { refused } from "./failure";

test("the words of xl, without its source's", () => {
  const said = "libxl: error: libxl_create.c:1266:libxl__domain_config_setdefault: Domain 3:Not\x1b so\n";
  expect(refused("xl create", said)).toMatchObject({
    code: "VM_XEN_REFUSED",
    message: "xl create: Domain 3:Not\\x1b so",
    hint: undefined,
  });
});

test.each([
  ["failed to free memory for the domain", "free_memory"],
  ["libxl: error: libxl.c:1:f: cannot open xenstore", "systemctl start xenstored"],
  ["libxl: error: libxl_dm.c:1:f: Domain 4:device model /usr/bin/qemu is not executable", "apt-get install"],
  ["xencall: error: Could not obtain handle on privileged command interface: Permission denied", "run as root"],
])("%s: with what to do", (said, hint) => {
  expect(refused("xl create", said).hint).toContain(hint);
});
