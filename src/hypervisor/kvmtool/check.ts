/** Whether kvmtool is here, and what it needs. */
import { messageOf, RunvError } from "../../base/error";
import type { Finding, Probe, Problem } from "../driver";
import { kvmProblem } from "../qemu/kvm";
import { findLkvm } from "./lkvm";
import { vsockProblem } from "./vsock";

/** `Driver.probe` of the driver kvmtool. */
export async function probeKvmtool(configured: string | undefined): Promise<Probe> {
  const findings = await checkKvmtool(configured);
  const problems = findings.filter(({ status }) => status === "missing");
  const binary = findings[0]!.status === "ok" ? findings[0]!.detail : undefined;
  return {
    available: problems.length === 0,
    ...(binary !== undefined && { binary }),
    accelerator: "kvm",
    problems: problems.map(({ detail, fix }) => ({ message: detail, ...(fix !== undefined && { fix }) })),
  };
}

/** `Driver.check` of the driver kvmtool. */
export async function checkKvmtool(configured: string | undefined): Promise<Finding[]> {
  return [
    await program(configured),
    finding("kvm", "the processor and /dev/kvm support it", kvmProblem()),
    finding("vsock", "/dev/vhost-vsock: the agent's channel", vsockProblem()),
  ];
}

async function program(configured: string | undefined): Promise<Finding> {
  const subject = "lkvm";
  try {
    return { status: "ok", subject, detail: await findLkvm(configured) };
  } catch (error) {
    const fix = error instanceof RunvError ? error.hint : undefined;
    return { status: "missing", subject, detail: messageOf(error), ...(fix !== undefined && { fix }) };
  }
}

function finding(subject: string, detail: string, problem: Problem | undefined): Finding {
  if (problem === undefined) return { status: "ok", subject, detail };
  return {
    status: "missing",
    subject,
    detail: problem.message,
    ...(problem.fix !== undefined && { fix: problem.fix }),
  };
}
