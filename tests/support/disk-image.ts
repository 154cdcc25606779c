/** Images of disks, as root file systems of containers. */
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./bundle";
import { command, output } from "./command";
import { cachedRootfs } from "./rootfs";

/** Makes an ext4 image with busybox. @returns its path */
export async function makeImage(directory: string, name = "disk.img"): Promise<string> {
  const path = join(directory, name);
  writeFileSync(path, "");
  truncateSync(path, 32 * 2 ** 20);
  await command("mkfs.ext4", "-q", "-F", "-d", await cachedRootfs("busybox"), path);
  return path;
}

/** Reads a file of an image that nobody has open. */
export const fileIn = (image: string, path: string): Promise<string> => output("debugfs", "-R", `cat ${path}`, image);

/** Whether a file system was left as one that was unmounted: without a journal to be played back, which takes writing. */
export const isWhole = async (image: string): Promise<boolean> =>
  !(await output("dumpe2fs", "-h", image)).includes("needs_recovery");

/** Puts a file in the place of one in an image that nobody has open. */
export async function putInto(image: string, path: string, text: string): Promise<void> {
  const file = `${image}.put`;
  writeFileSync(file, text);
  for (const request of [`rm ${path}`, `write ${file} ${path}`]) await command("debugfs", "-w", "-R", request, image);
}

/** The options of a bundle whose root file system is an image, or a block device. */
export const onDisk = (image: string, args: string[], change: (config: Config) => void = () => {}) => ({
  args,
  change: (config: Config) => {
    config.annotations = { "org.runv.rootfs.block": image };
    config.root.readonly = false;
    change(config);
  },
});
