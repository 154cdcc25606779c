import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../linux/constants";
import { type Namespace, namespaceKinds } from "../../oci/namespaces";
import type { Process } from "../../oci/process";
import { Assembler, Pidfd } from "../../program/assembler";
import { close, writeFile } from "../../program/files";
import { Stdio } from "../../program/instruction";
import type { Program } from "../../program/program";
import { joinCgroup } from "./cgroup";
import { cloneFlags } from "./namespaces";
import { lowerProcess } from "./process";
import { lowerAffinity } from "./scheduling";
import type { SharedSettings } from "./settings";
import { lowerPipes, lowerTerminal } from "./stdio";

/** One more process of a container. */
export interface ExecPlan {
  id: string;
  /** The handle of the container's first process. */
  init: number;
  namespaces: readonly Namespace[];
  process: Process;
  settings: SharedSettings;
  credit: number;
}

/** The program that enters a container and becomes a further process of it. */
export function lowerExec({ id, init, namespaces, process, settings, credit }: ExecPlan): Program {
  const p = new Assembler();
  const pid = namespaceKinds.pid.flag;
  const cgroup = namespaces.some(({ type }) => type === "cgroup") ? namespaceKinds.cgroup.flag : 0;
  const flags = cloneFlags(namespaces);
  lowerAffinity(p, process.execCPUAffinity?.initial);
  joinCgroup(p, id);
  lowerAffinity(p, process.execCPUAffinity?.final);
  if (process.oomScoreAdj !== undefined) {
    p.doing(`set oom_score_adj to ${process.oomScoreAdj}`);
    writeFile(p, "/proc/self/oom_score_adj", String(process.oomScoreAdj));
  }
  p.doing("enter the container's namespaces");
  p.syscall("setns", [new Pidfd(init), (flags & ~pid) | cgroup]);
  const root = p.value("openat", [AT_FDCWD, p.text("/"), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  if (process.terminal) lowerTerminal(p, root, process, false);
  else lowerPipes(p, process);
  close(p, root);
  lowerProcess(p, process, { stop: false, settings });
  const stdio = process.terminal ? Stdio.terminal : Stdio.stdin | Stdio.stdout | Stdio.stderr;
  return p.assemble({ join: (flags & pid) === 0 ? 0 : init, stdio, credit });
}
