/** Whether libvirt is here, and answers. */
import { messageOf, RunvError } from "../../base/error";
import type { Finding, Probe } from "../driver";
import { kvmProblem } from "../qemu/kvm";
import { findVirtiofsd } from "../virtiofsd";
import type { LibvirtOptions } from "./launch";
import { Virsh } from "./virsh";

/** `Driver.probe` of the driver libvirt. */
export async function probeLibvirt(options: LibvirtOptions): Promise<Probe> {
  const findings = await checkLibvirt(options);
  const problems = findings.filter(({ status }) => status === "missing");
  const version = /version (\S+)$/.exec(findings[0]!.detail)?.[1];
  return {
    available: problems.length === 0,
    ...(version !== undefined && { version }),
    accelerator: kvmProblem() === undefined ? "kvm" : "tcg",
    problems: problems.map(({ detail, fix }) => ({ message: detail, ...(fix !== undefined && { fix }) })),
  };
}

/** `Driver.check` of the driver libvirt. */
export async function checkLibvirt({ uri, virtiofsd }: LibvirtOptions): Promise<Finding[]> {
  return [
    await finding("libvirt", async () => {
      const { virsh, version } = await Virsh.connect(uri);
      virsh.close();
      return `${uri}, version ${version}`;
    }),
    await finding("virtiofsd", async () => findVirtiofsd(virtiofsd)),
  ];
}

async function finding(subject: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { status: "ok", subject, detail: await look() };
  } catch (error) {
    const fix = error instanceof RunvError ? error.hint : undefined;
    return { status: "missing", subject, detail: messageOf(error), ...(fix !== undefined && { fix }) };
  }
}
