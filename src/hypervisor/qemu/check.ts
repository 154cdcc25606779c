/** What `runv check` says of QEMU. */
import { messageOf, RunvError } from "../../base/error";
import type { Finding } from "../driver";
import { identifyQemu, installHint } from "./binary";
import { kvmProblem } from "./kvm";
import { type AcceleratorChoice, chooseAccelerator, type QemuOptions } from "./probe";
import { describeVersion } from "./versions";

/** What a machine is made of, and what for; `needed` or not. */
const devices = [
  { name: "virtserialport", purpose: "the agent's channel", needed: true },
  { name: "virtio-9p-pci", purpose: "sharing files by 9p", needed: true },
  { name: "vhost-user-fs-pci", purpose: "sharing files by fuse and virtiofs", needed: false },
  { name: "virtio-net-pci", purpose: "networking", needed: false },
  { name: "virtio-balloon-pci", purpose: "giving memory back", needed: false },
] as const;

/** Looks at QEMU's program, its devices and the accelerator. */
export async function checkQemu(wanted: AcceleratorChoice, options: QemuOptions): Promise<Finding[]> {
  const accelerator = checkAccelerator(wanted);
  try {
    const { path, version } = await identifyQemu(options.qemu, undefined, options.guests);
    const qemu: Finding = { status: "ok", subject: "qemu", detail: `${path}, ${describeVersion(version)}` };
    return [qemu, ...deviceFindings(await ask(path, "-device")), ...tcgFinding(await ask(path, "-accel")), accelerator];
  } catch (error) {
    const fix = error instanceof RunvError ? error.hint : undefined;
    return [{ status: "missing", subject: "qemu", detail: messageOf(error), ...(fix && { fix }) }, accelerator];
  }
}

/** What QEMU's list of devices lacks. */
export function deviceFindings(list: string): Finding[] {
  return devices.map(({ name, purpose, needed }) => {
    const subject = `qemu ${name}`;
    if (list.includes(`name "${name}"`)) return { status: "ok", subject, detail: purpose };
    const detail = `this QEMU was built without it: ${purpose}`;
    return { status: needed ? "missing" : "warning", subject, detail, fix: `a QEMU that has it: ${installHint()}` };
  });
}

function tcgFinding(list: string): Finding[] {
  if (/^tcg$/m.test(list)) return [{ status: "ok", subject: "qemu tcg", detail: "software emulation" }];
  return [{ status: "warning", subject: "qemu tcg", detail: "this QEMU has no software emulation: it needs KVM" }];
}

function checkAccelerator(wanted: AcceleratorChoice): Finding {
  const problem = kvmProblem();
  if (problem === undefined) return { status: "ok", subject: "kvm", detail: chooseAccelerator("kvm").reason };
  return {
    status: wanted === "kvm" ? "missing" : "warning",
    subject: "kvm",
    detail: `${problem.message}${wanted === "kvm" ? "" : "; machines run in software emulation, which is slower"}`,
    ...(problem.fix !== undefined && { fix: problem.fix }),
  };
}

/** What QEMU answers to `OPTION help`. */
async function ask(path: string, option: string): Promise<string> {
  const child = Bun.spawn([path, option, "help"], { stdio: ["ignore", "pipe", "ignore"], timeout: 10_000 });
  const [text] = await Promise.all([child.stdout.text(), child.exited]);
  return text;
}
