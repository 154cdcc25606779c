import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../linux/constants";
import type { Namespace } from "../../oci/namespaces";
import type { Process } from "../../oci/process";
import { Assembler, Pidfd } from "../../program/assembler";
import { close } from "../../program/files";
import type { Program } from "../../program/program";
import { type Ground, guestGround } from "./ground";
import { enterFlags, has } from "./namespaces";
import { lowerLimits, lowerOomScore, processDirectory, self } from "./outer";
import { lowerProcess } from "./process";
import { lowerAffinity, lowerCpuset } from "./scheduling";
import type { SharedSettings } from "./settings";
import { lowerTerminal } from "./stdio";
import { becomeRoot } from "./user-namespace";

/** One more process of a container. */
export interface ExecPlan {
  id: string;
  /** What the container is made on; by default a guest. */
  ground?: Ground;
  /** The handle of the container's first process. */
  init: number;
  /** The path of the cgroup to be in, below the container's; undefined: where there may be processes. */
  subCgroup?: string | undefined;
  namespaces: readonly Namespace[];
  process: Process;
  settings: SharedSettings;
  /** Whether its terminal makes CR LF of a new line; by default it does. */
  onlcr?: boolean;
  credit: number;
}

/** The program that enters a container and becomes a further process of it. */
export function lowerExec({
  id,
  init,
  subCgroup,
  namespaces,
  process,
  settings,
  onlcr = true,
  credit,
  ground = guestGround(id),
}: ExecPlan): Program {
  const p = new Assembler();
  const me = self(p);
  lowerAffinity(p, process.execCPUAffinity?.initial);
  ground.joinFirst(p, init, subCgroup);
  if (settings.cpuset === true) lowerCpuset(p, me.pid);
  lowerAffinity(p, process.execCPUAffinity?.final);
  const proc = processDirectory(p, me);
  lowerOomScore(p, process, proc);
  close(p, proc);
  const inUserNamespace = has(namespaces, "user");
  if (inUserNamespace) lowerLimits(p, process, me);
  p.doing("enter the container's namespaces");
  p.syscall("setns", [new Pidfd(init), enterFlags(namespaces)]);
  if (inUserNamespace) becomeRoot(p);
  const root = p.value("openat", [AT_FDCWD, p.text("/"), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  if (process.terminal) lowerTerminal(p, root, process, { console: false, onlcr });
  else ground.lowerStreams(p, process);
  close(p, root);
  if (!inUserNamespace) lowerLimits(p, process, me);
  lowerProcess(p, process, { settings });
  return p.assemble({ join: has(namespaces, "pid") ? init : 0, stdio: ground.stdio(process), credit });
}
