/** AddProcess: what is asked for, as the specification's process. */
import { readDocument } from "../oci/mismatch";
import { type Process, process as processReader } from "../oci/process";
import type { Request } from "./api/service";
import type { ProcessView } from "./process-store";

/** What a process has that is given no environment. */
const defaultEnvironment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

/**
 * Reads the request.
 * @param own the container's first process: what the request leaves out is as there, as runc has it
 * @throws RunvError CONFIG_INVALID
 */
export function processOf(request: Request<"AddProcess">, own: Process): Process {
  const { terminal, args, env, cwd, noNewPrivileges, capabilities, rlimits, user } = request;
  const { apparmorProfile, selinuxLabel } = request;
  const process = readDocument(processReader, {
    terminal,
    args,
    cwd,
    noNewPrivileges,
    rlimits,
    env: env.length === 0 ? defaultEnvironment : env,
    ...(user !== null && { user }),
    ...(capabilities.length > 0 && { capabilities }),
    ...(apparmorProfile !== "" && { apparmorProfile }),
    ...(selinuxLabel !== "" && { selinuxLabel }),
  });
  return {
    ...process,
    ...(process.capabilities === undefined && own.capabilities && { capabilities: own.capabilities }),
    ...(process.rlimits.length === 0 && { rlimits: own.rlimits }),
  };
}

/** How clients see a process that they asked for. */
export function viewOfRequest(request: Request<"AddProcess">): ProcessView {
  const { id: _, rlimits, user, ...view } = request;
  return {
    ...view,
    user: user ?? {},
    rlimits: rlimits.map(({ type, soft, hard }) => ({ type, soft: String(soft), hard: String(hard) })),
  };
}

/** How clients see a container's first process. */
export function viewOfInit(process: Process, pid: string): ProcessView {
  const { terminal, args, env, cwd, user, capabilities, rlimits, noNewPrivileges } = process;
  const { apparmorProfile = "", selinuxLabel = "" } = process;
  const { uid, gid, additionalGids } = user;
  return {
    pid,
    terminal,
    args,
    env,
    cwd,
    noNewPrivileges,
    apparmorProfile,
    selinuxLabel,
    user: { uid, gid, additionalGids },
    capabilities: capabilities?.bounding ?? [],
    rlimits: rlimits.map(({ type, soft, hard }) => ({ type, soft, hard })),
  };
}
