/** Starts lkvm. */
import { closeSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import type { Program } from "../../program/program";
import { unsupported } from "../capabilities";
import { type ConsoleLog, pipedConsole } from "../console";
import type { Capabilities, Machine, MachineSpec } from "../driver";
import { inside, jailEntries } from "../jail";
import { kvmProblem } from "../qemu/kvm";
import { tapOf } from "../qemu/options";
import { spawnProgram } from "../spawn-program";
import { confine, home } from "./confine";
import { findBzImage } from "./kernel";
import { findLkvm } from "./lkvm";
import { type Child, KvmtoolMachine } from "./machine";
import { lkvmArguments } from "./options";
import { listen, randomCid, vsockProblem } from "./vsock";

/** The descriptors that lkvm inherits beside its standard input, output and error. */
const inherited = { tap: 3, program: 4 } as const;

export interface KvmtoolOptions {
  /** The path of its program, if it is not to be looked for. */
  lkvm: string | undefined;
  capabilities: Capabilities;
}

/** `Driver.launch` of the driver kvmtool. */
export async function launch(spec: MachineSpec, { lkvm: configured, capabilities }: KvmtoolOptions): Promise<Machine> {
  if (spec.memory !== undefined || spec.restore !== undefined) throw unsupported("kvmtool", "template");
  const tap = spec.nic && tapOf(spec.nic.backend);
  if (spec.nic !== undefined && tap === undefined) throw noRouter();
  const lkvm = await findLkvm(configured);
  for (const problem of [kvmProblem(), vsockProblem()]) {
    if (problem === undefined) continue;
    const message = `the driver kvmtool does not work on this machine: ${problem.message}`;
    throw new RunvError("VM_DRIVER_UNAVAILABLE", message, { hint: problem.fix ?? "use --driver auto" });
  }
  const kernel = findBzImage(spec.kernel, spec.initrd);
  const listener = listen();
  try {
    const cid = randomCid();
    const name = spec.name.slice(0, longestName);
    const command = [
      lkvm,
      ...lkvmArguments({
        ...spec,
        ...{ name, kernel: inside.kernel, initrd: inside.initrd, tap: inherited.tap },
        ...(spec.share && { share: { tag: spec.share.tag, path: inside.share } }),
        vsock: { cid, port: listener.port },
      }),
    ];
    const host = jailEntries({ ...spec, kernel }, lkvm, ["/dev/kvm", "/dev/vhost-vsock"]);
    const entries = [...host, { path: home, scratch: true } as const];
    const program = confine({
      ...{ parent: process.pid, directory: spec.directory, entries, closeFrom: inherited.program, command },
    });
    const { child, console } = start(program, spec.directory, tap?.tap);
    return new KvmtoolMachine(child, { spec, capabilities, program, listener, cid, name, console });
  } catch (error) {
    listener.close();
    throw error;
  }
}

/** Its socket's path, in the jail, has at most 107 bytes. */
const longestName = 80;

function start(program: Program, directory: string, tap: number | undefined): { child: Child; console: ConsoleLog } {
  const { log, writing } = pipedConsole(directory);
  try {
    // Its standard input is open and never says anything: of a file's end lkvm would make a character.
    return { child: spawnProgram(program, ["pipe", writing, "pipe", tap ?? "ignore"]), console: log };
  } catch (cause) {
    throw new RunvError("VM_LKVM_START", `start lkvm: ${messageOf(cause)}`, { cause });
  } finally {
    closeSync(writing);
  }
}

function noRouter(): RunvError {
  const message = "the driver kvmtool cannot take the host's network for a machine";
  return new RunvError("UNSUPPORTED", message, {
    hint: "give the container a network namespace of its own; or --driver qemu",
  });
}
