import { expect, test } from "bun:test";
import { unavailable, type XenSources, xenProblem, xenVersion } from "./host";

const dom0: Readonly<Record<string, string>> = {
  "/sys/hypervisor/type": "xen\n",
  "/sys/hypervisor/version/major": "4\n",
  "/sys/hypervisor/version/minor": "17\n",
  "/sys/hypervisor/properties/capabilities": "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_64 \n",
  "/proc/xen/capabilities": "control_d\n",
};

interface Changes {
  files?: Readonly<Record<string, string | undefined>>;
  /** The code of the error with which the device does not open. */
  code?: string;
  xl?: string | undefined;
  processes?: readonly string[];
}

/** A machine like that. */
function sources(changes: Changes = {}): XenSources {
  const { files, code, xl, processes } = { xl: "/usr/sbin/xl", processes: ["xenstored", "xenconsoled"], ...changes };
  const all: Readonly<Record<string, string | undefined>> = { ...dom0, ...files };
  return {
    read(path) {
      const text = all[path];
      if (text === undefined) throw new Error("ENOENT");
      return text;
    },
    access() {
      if (code !== undefined) throw Object.assign(new Error(code), { code });
    },
    find: () => xl,
    processes: () => new Set(processes),
  };
}

const without = (path: string) => sources({ files: { [path]: undefined } });

test.each([
  ["dom0", sources(), undefined],
  ["no file of Xen's capabilities", without("/proc/xen/capabilities"), undefined],
  ["another hypervisor, or none", without("/sys/hypervisor/type"), "this machine does not run on Xen"],
  [
    "a guest",
    sources({ files: { "/proc/xen/capabilities": "\n" } }),
    "this is a guest of Xen's, not its first domain (dom0)",
  ],
  ["no tools", sources({ xl: undefined }), "there is no xl on PATH"],
  [
    "too old",
    sources({ files: { "/sys/hypervisor/version/minor": "13" } }),
    "this is Xen 4.13, runv needs 4.14 or later",
  ],
  [
    "newer",
    sources({ files: { "/sys/hypervisor/version/major": "5", "/sys/hypervisor/version/minor": "0" } }),
    undefined,
  ],
  ["no device", sources({ code: "ENOENT" }), "there is no /dev/xen/privcmd"],
  ["no rights", sources({ code: "EACCES" }), "/dev/xen/privcmd may not be opened: EACCES"],
  ["no daemon", sources({ processes: ["bash"] }), "xenstored does not run"],
  ["the other implementation of that", sources({ processes: ["oxenstored", "xenconsoled"] }), undefined],
  ["nobody who reads consoles", sources({ processes: ["xenstored"] }), "xenconsoled does not run"],
])("%s", (_, given, message) => {
  const problem = xenProblem("pv", given);
  expect(problem?.message).toBe(message as string);
  if (problem !== undefined) expect(problem.fix).toBeDefined();
});

test("a processor without virtualization", () => {
  const given = sources({ files: { "/sys/hypervisor/properties/capabilities": "xen-3.0-x86_64 \n" } });
  expect(xenProblem("pv", given)).toBeUndefined();
  expect(xenProblem("pvh", given)?.message).toStartWith("the processor has no virtualization for PVH domains");
  expect(xenProblem("pvh", sources())).toBeUndefined();
});

test("the version of a hypervisor that hides it", () => {
  expect(xenVersion(sources())).toBe("4.17");
  expect(xenVersion(without("/sys/hypervisor/version/major"))).toBeUndefined();
});

test("the error names the driver, the cause and what to do", () => {
  const { code, message, hint } = unavailable("xen", { message: "there is no xl on PATH", fix: "apt-get install it" });
  expect([code, message, hint]).toEqual([
    "VM_DRIVER_UNAVAILABLE",
    "the driver xen does not work on this machine: there is no xl on PATH",
    "apt-get install it",
  ]);
});
