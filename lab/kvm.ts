/** A machine with KVM: QEMU emulates AMD's SVM. An old kernel inside it panics where it sees XSAVE. */
import type { LabKind } from "./kinds";
import { commandLine } from "./order";

export const kvm: LabKind = {
  name: "kvm",
  cpu: "max,-xsave,-smap,+svm",
  memoryMiB: 3072,
  async prepare({ kernel, initrd }) {
    return { boot: ["-kernel", kernel, "-initrd", initrd, "-append", commandLine("ttyS1")] };
  },
};
