/** Creates a domain, and has it run when its console and its agent's channel are held. */
import { closeSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, RunvError } from "../../base/error";
import { SOCK_NONBLOCK } from "../../linux/constants";
import { identityOf } from "../../linux/identity";
import { connectSocket, longestSocketPath, peerOf } from "../../linux/unix-socket";
import { unsupported } from "../capabilities";
import { type ConsoleLog, pipedConsole } from "../console";
import type { Capabilities, Machine, MachineSpec } from "../driver";
import { noteMachine } from "../orphans";
import { channelSocket, domainConfig } from "./config";
import { agentChannel } from "./consoles";
import { guard } from "./guard";
import { type DomainType, unavailable, xenProblem } from "./host";
import { wrongKernel } from "./kernel";
import { XenMachine } from "./machine";
import { noBackend } from "./nic";
import { find, xl } from "./toolstack";

export interface LaunchOptions {
  driver: string;
  type: DomainType;
  capabilities: Capabilities;
  cacheDirectory: string;
}

/** `Driver.launch`. @throws RunvError VM_DRIVER_UNAVAILABLE, VM_XEN_START, VM_KERNEL_FORMAT, UNSUPPORTED */
export async function launch(spec: MachineSpec, options: LaunchOptions): Promise<Machine> {
  const { name, directory } = spec;
  const { driver, type } = options;
  const problem = xenProblem(type);
  if (problem !== undefined) throw unavailable(driver, problem);
  if (spec.nic !== undefined) throw noBackend(driver);
  if (spec.memory !== undefined || spec.restore !== undefined) throw unsupported(driver, "template");
  if (Buffer.byteLength(channelSocket(directory, 0)) > longestSocketPath) {
    const message = `the sandbox's directory has too long a name for a socket in it: ${directory}`;
    throw new RunvError("VM_XEN_START", message, { hint: "use a shorter --root" });
  }
  const config = join(directory, `${name}.cfg`);
  writeFileSync(config, domainConfig(spec, type), { mode: 0o600 });
  noteMachine(directory, { driver, name, options: {} });
  const watching = guard(name);
  try {
    await xl("create", "-p", "-q", config);
    const console = readConsole(name, directory);
    const agent = connectSocket(channelSocket(directory, await agentChannel(name)), SOCK_NONBLOCK);
    const deviceModel = identityOf(peerOf(agent));
    if (deviceModel === undefined) throw new RunvError("VM_DIED", "the domain's device model has ended");
    const machine = new XenMachine({ ...options, spec, pid: deviceModel.pid, agent, guard: watching, console });
    await xl("unpause", name);
    return machine;
  } catch (error) {
    await watching.destroy();
    throw notStarted(error, spec, type);
  }
}

/** Reads the domain's console into its log, from its first line on, until the domain ends. */
function readConsole(name: string, directory: string): ConsoleLog {
  const { log, writing } = pipedConsole(directory);
  try {
    Bun.spawn([find("xl"), "console", name], { stdio: ["ignore", writing, "ignore"], cwd: "/" });
    return log;
  } finally {
    closeSync(writing);
  }
}

function notStarted(cause: unknown, { kernel }: MachineSpec, type: DomainType): RunvError {
  const wrong = wrongKernel(kernel, type, cause);
  if (wrong !== undefined) return wrong;
  const hint = cause instanceof RunvError ? cause.hint : undefined;
  return new RunvError("VM_XEN_START", `start a domain: ${messageOf(cause)}`, {
    cause,
    ...(hint !== undefined && { hint }),
  });
}
