/** A machine with KVM: QEMU emulates AMD's SVM. An old kernel inside it panics where it sees XSAVE. */
import type { LabKind } from "./kinds";
import { commandLine } from "./order";

export const kvm: LabKind = {
  name: "kvm",
  cpu: "max,-xsave,-smap,+svm",
  memoryMiB: 3072,
  async prepare(parts) {
    const words = commandLine("ttyS1");
    return { ...parts, boot: ["-kernel", parts.kernel, "-initrd", parts.initrd, "-append", words] };
  },
};
