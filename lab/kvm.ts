/**
 * A machine with KVM: QEMU emulates AMD's SVM. An old kernel inside it panics where it sees XSAVE. With two processors the machine itself
 * does, now and then: its stack overflows, or one processor waits for the other for ever.
 */
import type { LabKind } from "./kinds";
import { commandLine } from "./order";

export const kvm: LabKind = {
  name: "kvm",
  cpu: "max,-xsave,-smap,+svm",
  processors: 1,
  memoryMiB: 3072,
  async prepare({ kernel, initrd }) {
    return { boot: ["-kernel", kernel, "-initrd", initrd, "-append", commandLine("ttyS1")] };
  },
};
