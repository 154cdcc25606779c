/**
 * A machine with KVM: QEMU emulates AMD's SVM. An old kernel inside it panics where it sees XSAVE. With two processors the machine itself
 * does, now and then: its stack overflows, or one processor waits for the other for ever.
 *
 * An interrupt that arrives as a processor enters or leaves a guest may be lost until the next arrives: QEMU changes the word of those
 * that are pending without a lock there. So there must always be a next one, and the timer is periodic, not set anew at each tick.
 */
import type { LabKind } from "./kinds";
import { commandLine } from "./order";

/** `tsc=reliable`: on a busy host the kernel would find its other clock slow to read, and mistrust this one. */
const clock = "nohz=off highres=off tsc=reliable";

export const kvm: LabKind = {
  name: "kvm",
  cpu: "max,-xsave,-smap,+svm",
  processors: 1,
  memoryMiB: 3072,
  async prepare({ kernel, initrd }) {
    const words = `${commandLine("ttyS1")} ${clock}`;
    return { boot: ["-kernel", kernel, "-initrd", initrd, "-append", words] };
  },
};
