/** What `runv check` says of containers without a virtual machine. */
import { messageOf } from "../../base/error";
import { checkKernel } from "../../hypervisor/check-host";
import type { Finding } from "../../hypervisor/driver";
import { CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS } from "../../linux/constants";
import { Assembler } from "../../program/assembler";
import { GivenDescriptors, HostProcess } from "./process";

/** Looks at the kernel, and starts a process in namespaces of its own. */
export function checkOnHost(): Finding[] {
  const findings = checkKernel();
  return findings.some(({ status }) => status === "missing") ? findings : [...findings, checkNamespaces()];
}

function checkNamespaces(): Finding {
  const subject = "driver host";
  const program = new Assembler().assemble({
    flags: CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
  });
  try {
    const process = HostProcess.start(program, new GivenDescriptors(0));
    try {
      process.next();
    } finally {
      process.leave();
      process.kill();
    }
    return { status: "ok", subject, detail: "a process was started in namespaces of its own" };
  } catch (error) {
    return { status: "missing", subject, detail: messageOf(error), fix: "start runv outside of a container" };
  }
}
