/** The kernel that the host itself runs, from where its distribution has put it. */
import { release as runningRelease } from "node:os";
import { join } from "node:path";
import { RunvError } from "../base/error";
import { findKernelFiles, type KernelFiles } from "./kernel-files";

/**
 * The kernel of that release with its modules, below that root, and where it may show its configuration.
 * @throws RunvError IMAGE_HOST_KERNEL when one of both is not there
 */
export function hostKernel(root = "/", release = runningRelease()): KernelFiles & { name: string; config: string } {
  const { kernel, modules } = findKernelFiles(root, release);
  if (kernel === undefined) {
    throw missing(
      `no kernel file of ${release}, which runs here: neither /boot/vmlinuz-${release} nor /lib/modules/${release}/vmlinuz`,
    );
  }
  if (modules === undefined)
    throw missing(`no modules of ${release}, which runs here: no /lib/modules/${release}/modules.builtin`);
  return { name: `this host, ${release}`, kernel, modules, config: join(root, "proc/config.gz") };
}

function missing(message: string): RunvError {
  return new RunvError("IMAGE_HOST_KERNEL", message, {
    hint: "reboot if the kernel was upgraded since this machine started; in a container, do it on its host; or give the files: --kernel FILE --modules DIR",
  });
}
