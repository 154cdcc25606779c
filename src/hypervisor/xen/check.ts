/** Whether Xen is here, and what `runv check` says of it. */
import { existsSync } from "node:fs";
import { messageOf } from "../../base/error";
import type { Finding, Probe } from "../driver";
import { findProgram } from "../programs";
import { type DomainType, daemonsHint, installHint, xenProblem, xenVersion } from "./host";
import { xl } from "./toolstack";

/** The device models that serve shares and channels to domains, as distributions put them. */
const deviceModels = [
  "/usr/libexec/xen-qemu-system-i386",
  "/usr/lib/xen/bin/qemu-system-i386",
  "/usr/libexec/xen/bin/qemu-system-i386",
  "/usr/bin/qemu-system-i386",
];

/** `Driver.probe`. */
export function probeXen(type: DomainType): Probe {
  const problem = xenProblem(type);
  const [binary, version] = [findProgram("xl"), xenVersion()];
  return {
    available: problem === undefined,
    ...(binary !== undefined && { binary }),
    ...(version !== undefined && { version }),
    accelerator: type,
    problems: problem === undefined ? [] : [problem],
  };
}

/** `Driver.check`: the hypervisor, its tools, and the memory that is left for domains. */
export async function checkXen(type: DomainType): Promise<Finding[]> {
  const problem = xenProblem(type);
  if (problem !== undefined) {
    const fix = problem.fix === undefined ? {} : { fix: problem.fix };
    return [{ status: "missing", subject: "xen", detail: problem.message, ...fix }];
  }
  return [
    { status: "ok", subject: "xen", detail: `${findProgram("xl")}, Xen ${xenVersion() ?? "of unknown version"}, dom0` },
    checkDeviceModel(),
    await checkMemory(),
  ];
}

function checkDeviceModel(): Finding {
  const subject = "xen qemu";
  const found = deviceModels.find(existsSync);
  if (found !== undefined) return { status: "ok", subject, detail: found };
  return { status: "warning", subject, detail: "there is no device model where it is usual", fix: installHint };
}

async function checkMemory(): Promise<Finding> {
  const subject = "xen memory";
  try {
    const free = Number((await xl("info", "free_memory")).trim());
    const finding = { subject, detail: `${free} MiB are free for domains` };
    if (free >= 256) return { status: "ok", ...finding };
    return { status: "warning", ...finding, fix: "xl mem-set 0 …, or dom0_mem= on Xen's command line" };
  } catch (error) {
    return { status: "missing", subject, detail: messageOf(error), fix: daemonsHint };
  }
}
