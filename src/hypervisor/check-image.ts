/** What `runv check` says of the kernel and the initrd. */
import { createReadStream, existsSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { readImageManifest } from "../image/read-manifest";
import type { Finding } from "./driver";

const build = "runv image build";

/** Whether kernel and initrd are there, ours, and made for each other. */
export async function checkImage(kernel: string, initrd: string): Promise<Finding[]> {
  const kernelMissing: Finding = {
    status: "missing",
    subject: "kernel",
    detail: `there is none at ${kernel}`,
    fix: build,
  };
  try {
    const { kernelRelease, kernelSha256 } = readImageManifest(initrd);
    const image: Finding = { status: "ok", subject: "initrd", detail: `${initrd}, for Linux ${kernelRelease}` };
    if (!existsSync(kernel)) return [kernelMissing, image];
    if ((await sha256(kernel)) === kernelSha256) return [{ status: "ok", subject: "kernel", detail: kernel }, image];
    const detail = `${kernel} is not the one that ${initrd} was made with`;
    return [{ status: "warning", subject: "kernel", detail, fix: build }, image];
  } catch (error) {
    const fix = error instanceof RunvError ? (error.hint ?? build) : build;
    const image: Finding = { status: "missing", subject: "initrd", detail: messageOf(error), fix };
    return existsSync(kernel) ? [image] : [kernelMissing, image];
  }
}

async function sha256(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
