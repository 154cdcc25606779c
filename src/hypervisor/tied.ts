/** Programs of the host that end when this process does, however it ends. */
import { basename } from "node:path";
import { Assembler } from "../program/assembler";
import type { Program } from "../program/program";
import { dropPrivileges, newKeyring, tie } from "./confinement";
import { type ProgramStdio, spawnProgram } from "./spawn-program";

/**
 * Starts a program by way of the guest's init, which sees to it that it gets SIGKILL when this process dies.
 * @param command its path and arguments
 * @param environment as NAME=value
 * @param capabilities numbers of those that it keeps, as a user of its own; it stays root if they are not said
 */
export function spawnTied<const Stdio extends ProgramStdio>(
  command: readonly string[],
  stdio: Stdio,
  environment: readonly string[] = [],
  capabilities?: readonly number[],
) {
  return spawnProgram(becoming(command, environment, capabilities), stdio);
}

function becoming(
  command: readonly string[],
  environment: readonly string[],
  capabilities?: readonly number[],
): Program {
  const p = new Assembler();
  const name = basename(command[0]!);
  newKeyring(p, name);
  if (capabilities !== undefined) dropPrivileges(p, name, capabilities);
  // After the change of ids, which undoes it.
  tie(p, name, process.pid);
  p.doing(`execute ${command[0]}`);
  p.syscall("execve", [p.text(command[0]!), p.vector(command), p.vector(environment)]);
  return p.assemble();
}
