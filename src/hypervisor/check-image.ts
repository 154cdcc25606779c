/** What `runv check` says of the kernel and the initrd. */
import { createReadStream, existsSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { formatLacking, lackingIn } from "../image/lacking";
import type { ImageManifest } from "../image/manifest";
import { readImageManifest } from "../image/read-manifest";
import type { Driver, DriverOptions, Finding } from "./driver";
import { usualShare } from "./usual-share";

const build = "runv image build";

export interface CheckedImage {
  kernel: string;
  initrd: string;
  /** Who says that it is these two. */
  imageFrom?: string;
}

/** Whether kernel and initrd are there, ours, and made for each other. */
export async function checkImage({ kernel, initrd, imageFrom }: CheckedImage): Promise<Finding[]> {
  const kernelMissing: Finding = {
    status: "missing",
    subject: "kernel",
    detail: `there is none at ${kernel}`,
    fix: build,
  };
  try {
    const manifest = readImageManifest(initrd);
    const { kernelRelease, kernelSha256, source } = manifest;
    const image: Finding[] = [
      { status: "ok", subject: "initrd", detail: `${initrd}, for Linux ${kernelRelease}` },
      checkAbilities(manifest),
    ];
    if (!existsSync(kernel)) return [kernelMissing, ...image];
    if ((await sha256(kernel)) === kernelSha256) {
      const from = `${source === undefined ? "" : ` of ${source}`}${imageFrom === undefined ? "" : `, ${imageFrom}`}`;
      return [{ status: "ok", subject: "kernel", detail: `${kernel}: Linux ${kernelRelease}${from}` }, ...image];
    }
    const detail = `${kernel} is not the one that ${initrd} was made with`;
    return [{ status: "warning", subject: "kernel", detail, fix: build }, ...image];
  } catch (error) {
    const fix = error instanceof RunvError ? (error.hint ?? build) : build;
    const image: Finding = { status: "missing", subject: "initrd", detail: messageOf(error), fix };
    return existsSync(kernel) ? [image] : [kernelMissing, image];
  }
}

/** Whether the guest's kernel has all that a container may ask for. */
function checkAbilities(manifest: ImageManifest): Finding {
  const lacking = lackingIn(manifest);
  const subject = "guest kernel";
  if (lacking.length === 0) return { status: "ok", subject, detail: "all that a container may ask for" };
  const detail = `the guest's kernel has nothing for ${formatLacking(lacking)}`;
  return { status: "warning", subject, detail, fix: "runv image build, with another kernel" };
}

/**
 * How a driver shares files with a guest of this image, and why where it had the choice; and what they cannot be used for. Nothing is said of an image that
 * cannot be read.
 */
export function checkFiles(
  { guestMount }: Pick<Driver, "guestMount">,
  initrd: string,
  options: DriverOptions = {},
): Finding[] {
  try {
    const { type, server = type } = guestMount;
    const usual = options.usualShare === undefined ? undefined : usualShare(options, initrd);
    const limit = guestMount.limit?.(readImageManifest(initrd).kernelRelease);
    const detail = `shared over ${server}${usual?.share === server ? `: ${usual.why}` : ""}`;
    const found: Finding = { status: "ok", subject: "files", detail };
    if (limit === undefined) return [found];
    return [
      found,
      {
        status: "warning",
        subject: "files",
        detail: limit,
        fix: '--share auto, or share = "auto" in config.toml, with QEMU',
      },
    ];
  } catch {
    return [];
  }
}

async function sha256(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
