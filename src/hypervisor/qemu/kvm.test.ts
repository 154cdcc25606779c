import { expect, test } from "bun:test";
import { type KvmSources, kvmProblem } from "./kvm";
import { chooseAccelerator } from "./probe";

const intel = "processor\t: 0\nflags\t\t: fpu vme vmx smx est\n";
const amd = "flags\t\t: fpu svm\n";
const guest = "model name\t: vmx svm\nflags\t\t: fpu vme hypervisor svmx\n";

const device = (code?: string) => () => {
  if (code !== undefined) throw Object.assign(new Error(`open /dev/kvm: ${code}`), { code });
};
const sources = (cpuinfo: string, code?: string, arch = "x64"): KvmSources => ({
  arch,
  cpuinfo: () => cpuinfo,
  tryDevice: device(code),
});

test.each([
  ["Intel", sources(intel), undefined],
  ["AMD, nested or not", sources(amd), undefined],
  ["a KVM that opens on a processor that cannot", sources(guest), "the processor offers neither vmx nor svm"],
  ["no module", sources(intel, "ENOENT"), "there is no /dev/kvm"],
  ["no rights", sources(amd, "EACCES"), "/dev/kvm may not be opened"],
  [
    "a device that makes no machine",
    sources(amd, "EBUSY"),
    "/dev/kvm does not make a virtual machine: open /dev/kvm: EBUSY",
  ],
  ["ARM has no such flags", sources("Features\t: fp asimd\n", undefined, "arm64"), undefined],
  ["ARM without", sources("", "ENOENT", "arm64"), "there is no /dev/kvm"],
])("%s", (_, given, message) => {
  expect(kvmProblem(given)?.message).toBe(message as string);
});

test("/proc is not there", () => {
  const none = { ...sources(""), cpuinfo: () => readFail() };
  expect(kvmProblem(none)?.message).toBe("the processor offers neither vmx nor svm");
});

test("the device is not touched on a processor that cannot", () => {
  let tried = false;
  kvmProblem({
    arch: "x64",
    cpuinfo: () => guest,
    tryDevice: () => {
      tried = true;
    },
  });
  expect(tried).toBe(false);
});

test.each([
  ["auto", sources(intel), "kvm", false],
  ["auto", sources(guest), "tcg", false],
  ["auto", sources(intel, "EACCES"), "tcg", false],
  ["kvm", sources(intel), "kvm", false],
  ["kvm", sources(guest), "kvm", true],
  ["tcg", sources(intel), "tcg", false],
] as const)("%s chooses", (wanted, given, accelerator, refused) => {
  const choice = chooseAccelerator(wanted, given);
  expect(choice.accelerator).toBe(accelerator);
  expect(choice.problem !== undefined).toBe(refused);
});

test("auto says why it takes software emulation", () => {
  expect(chooseAccelerator("auto", sources(guest)).reason).toBe("no KVM: the processor offers neither vmx nor svm");
});

function readFail(): string {
  throw new Error("ENOENT");
}
