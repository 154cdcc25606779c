import { CLONE_NEWCGROUP } from "../../linux/constants";
import type { Config } from "../../oci/config";
import { Assembler, type Register } from "../../program/assembler";
import { close } from "../../program/files";
import type { Program } from "../../program/program";
import { type BoundSource, takeSources } from "./bind";
import { lowerDevices } from "./devices";
import { type Ground, guestGround } from "./ground";
import { type HookPlan, hookPlan, lowerHooks } from "./hooks";
import { lowerMounts, lowerReadonlyDev } from "./mounts";
import { has, type JoinedNamespaces, planNamespaces } from "./namespaces";
import { lowerLimits, lowerOwnFileLimit, self } from "./outer";
import { lowerPlace } from "./place";
import { lowerProcess } from "./process";
import { lowerMaskedPaths, lowerReadonlyPaths } from "./restrictions";
import { directoryInRoot } from "./root";
import { lowerPivot, lowerPropagation, lowerReadonlyRoot, lowerRoot } from "./root-mount";
import type { SharedSettings } from "./settings";
import { lowerTerminal } from "./stdio";
import { lowerSysctls } from "./sysctl";
import { becomeRoot } from "./user-namespace";

/** A container as it is to be made. */
export interface ContainerPlan {
  id: string;
  /** What it is made on; by default a guest. */
  ground?: Ground;
  /** The bundle's directory on the host, for the hooks. */
  bundle: string;
  config: Config;
  /** Where the guest has the root file system. */
  rootfs: string;
  /** Options of its mount on the host that hold in the guest, too. */
  inherited?: readonly string[];
  /** For each bind mount, by its index in `config.mounts`, where the guest has its source. */
  sources: ReadonlyMap<number, BoundSource>;
  /** Namespaces of other processes that it joins. */
  joined?: JoinedNamespaces;
  settings: SharedSettings;
  /** Bytes of output that may be under way on each stream. */
  credit: number;
  /** Whether its terminal makes CR LF of a new line; by default it does. */
  onlcr?: boolean;
  /** Paths at which its command is known not to be. */
  absent?: ReadonlySet<string> | undefined;
}

/** What makes a container. */
export interface ContainerPrograms {
  /**
   * Becomes the container's first process. It stops once everything is ready and the command is found, and goes on when the
   * container is started.
   */
  main: Program;
  /**
   * To be run, with the first process's id as its argument, when that one stops for the first time of two: a container with a user
   * namespace needs somebody outside of it.
   */
  outer?: Program;
}

/**
 * The programs that make a container in the guest.
 * @throws RunvError CONFIG_UNSUPPORTED for what the specification has and runv refuses
 */
export function lowerContainer(plan: ContainerPlan): ContainerPrograms {
  const { id, bundle, config, rootfs, settings, credit, onlcr = true, ground = guestGround(plan.id) } = plan;
  const { process, linux, mounts } = config;
  const p = new Assembler();
  const namespaces = planNamespaces(linux.namespaces, ground.cloned, plan.joined);
  p.syscall("umask", [0]);
  const outer = lowerPlace(p, ground, config, namespaces);
  const root = lowerRoot(p, rootfs, ground.rootPlace(rootfs), plan.inherited ?? []);
  const inUserNamespace = has(linux.namespaces, "user");
  const sources = inUserNamespace ? takeSources(p, mounts, plan.sources) : plan.sources;
  lowerNames(p, config);
  if (inUserNamespace) becomeRoot(p);
  ground.settle(p, config);
  lowerSysctls(p, linux.sysctl, false);
  if (namespaces.cgroup) {
    p.doing("make a cgroup namespace");
    p.syscall("unshare", [CLONE_NEWCGROUP]);
  }
  const cgroup = has(linux.namespaces, "cgroup") ? undefined : ground.cgroup;
  lowerMounts(p, root, { mounts, sources, cgroup, bindSys: inUserNamespace && ground.bindsSys, ground });
  lowerDevices(p, root, { mounts, devices: linux.devices, bind: inUserNamespace });
  p.doing(`make the working directory ${process.cwd}`);
  close(p, directoryInRoot(p, root, process.cwd));
  lowerCreateHooks(p, ground, root, hookPlan("createContainer", config, id, bundle));
  lowerPivot(p, root);
  if (process.terminal) lowerTerminal(p, root, process, { console: true, onlcr });
  else ground.lowerStreams(p, process);
  lowerReadonlyDev(p, root, mounts);
  lowerReadonlyPaths(p, root, linux.readonlyPaths);
  lowerMaskedPaths(p, root, linux.maskedPaths);
  if (config.root.readonly) lowerReadonlyRoot(p, root);
  lowerPropagation(p, root, linux.rootfsPropagation);
  close(p, root);
  if (inUserNamespace) lowerOwnFileLimit(p, process);
  else lowerLimits(p, process, self(p));
  const hooks = hookPlan("startContainer", config, id, bundle);
  lowerProcess(p, process, { wait: () => ground.waitForStart(p), hooks, settings, absent: plan.absent });
  const join = namespaces.userOf === 0 ? namespaces.pid : 0;
  const main = p.assemble({ flags: namespaces.clone, join, stdio: ground.stdio(process), credit });
  return outer === undefined ? { main } : { main, outer };
}

function lowerNames(p: Assembler, { hostname, domainname }: Config): void {
  if (hostname !== undefined) {
    p.doing("set the hostname");
    p.syscall("sethostname", [p.text(hostname), Buffer.byteLength(hostname)]);
  }
  if (domainname !== undefined) {
    p.doing("set the domainname");
    p.syscall("setdomainname", [p.text(domainname), Buffer.byteLength(domainname)]);
  }
}

/** Runs the createContainer hooks, in the container's mount namespace and, in a guest, below its root. */
function lowerCreateHooks(p: Assembler, ground: Ground, root: Register, plan: HookPlan): void {
  ground.requireHooks(p, root, plan);
  lowerHooks(p, plan, () => {
    p.syscall("fchdir", [root]);
    if (ground.hooksInRoot) p.syscall("chroot", [p.text(".")]);
  });
}
