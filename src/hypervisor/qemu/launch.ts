/** Starts QEMU and waits until it answers. */
import { closeSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import { openConsole } from "../console";
import type { Capabilities, DriverOptions, Machine, MachineSpec } from "../driver";
import { identifyQemu } from "./binary";
import { type Child, inherited, startChild } from "./child";
import { QemuMachine } from "./machine";
import { qemuArguments } from "./options";
import { type AcceleratorChoice, chooseAccelerator } from "./probe";
import { Qmp } from "./qmp";

export interface LaunchOptions extends DriverOptions {
  driver: string;
  accelerator: AcceleratorChoice;
  capabilities: Capabilities;
}

/** `Driver.launch` of the QEMU drivers. */
export async function launch(spec: MachineSpec, options: LaunchOptions): Promise<Machine> {
  const { accelerator, problem } = chooseAccelerator(options.accelerator);
  if (problem !== undefined) throw unavailable(options.driver, problem.message);
  const { path, version } = await identifyQemu(options.qemu, options.cacheDirectory);
  const args = qemuArguments({ ...spec, version, accelerator, descriptors: inherited });
  const child = start([path, ...args], spec.directory);
  const machine = new QemuMachine(child, {
    driver: options.driver,
    accelerator,
    capabilities: options.capabilities,
    spec,
  });
  try {
    await machine.attach((onEvent) =>
      Qmp.connect({ fd: child.qmp }, { onEvent, timeoutMs: spec.startTimeoutMs ?? 10_000 }),
    );
    return machine;
  } catch (error) {
    throw await notStarted(child, error);
  }
}

function start(command: string[], directory: string): Child {
  const log = openConsole(directory);
  try {
    return startChild(command, log, undefined);
  } catch (error) {
    throw new RunvError("VM_QEMU_START", `start ${command[0]}: ${messageOf(error)}`, { cause: error });
  } finally {
    closeSync(log);
  }
}

/** Why QEMU does not answer: it ended, with words on its standard error, or it hangs. It is gone when this is fulfilled. */
async function notStarted(child: Child, cause: unknown): Promise<RunvError> {
  const ended = await Promise.race([child.exited, Bun.sleep(200).then(() => undefined)]);
  child.kill();
  const { stderr } = await child.exited;
  const words = stderr === "" ? "" : `: ${stderr}`;
  if (ended === undefined)
    return new RunvError("VM_QEMU_TIMEOUT", `qemu started and does not answer${words}`, { cause });
  const how = ended.signal ?? `exit code ${ended.code}`;
  return new RunvError("VM_QEMU_START", `qemu would not start (${how})${words}`, { cause });
}

function unavailable(driver: string, why: string): RunvError {
  return new RunvError("VM_DRIVER_UNAVAILABLE", `the driver ${driver} does not work on this machine: ${why}`, {
    hint: "use --driver auto, or see runv check",
  });
}
