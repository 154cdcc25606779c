import {
  AT_FDCWD,
  CLONE_NEWCGROUP,
  CLONE_NEWTIME,
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MS_BIND,
  MS_REC,
  MS_SLAVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
} from "../../linux/constants";
import type { Config } from "../../oci/config";
import { propagationFlags } from "../../oci/mount-options";
import { Assembler, Pidfd, type Register } from "../../program/assembler";
import { close } from "../../program/files";
import { Stdio } from "../../program/instruction";
import type { Program } from "../../program/program";
import { rootPath } from "../prepare";
import { cgroupOf } from "./cgroup";
import { lowerDevices } from "./devices";
import { type HookPlan, hookPlan, lowerHooks, requireHooks } from "./hooks";
import { type BoundSource, lowerMounts, lowerReadonlyDev, setAttributes, setPropagation, takeSources } from "./mounts";
import { has, type JoinedNamespaces, type NamespacePlan, planNamespaces } from "./namespaces";
import { argument, lowerLimits, lowerOuter, self } from "./outer";
import { lowerProcess } from "./process";
import { lowerMaskedPaths, lowerReadonlyPaths } from "./restrictions";
import { directoryInRoot, openInRoot } from "./root";
import type { SharedSettings } from "./settings";
import { lowerPipes, lowerTerminal } from "./stdio";
import { lowerSysctls } from "./sysctl";
import { becomeRoot } from "./user-namespace";

/** A container as the guest is to make it. */
export interface ContainerPlan {
  id: string;
  /** The bundle's directory on the host, for the hooks. */
  bundle: string;
  config: Config;
  /** Where the guest has the root file system. */
  rootfs: string;
  /** For each bind mount, by its index in `config.mounts`, where the guest has its source. */
  sources: ReadonlyMap<number, BoundSource>;
  /** Namespaces of other processes that it joins. */
  joined?: JoinedNamespaces;
  settings: SharedSettings;
  /** Bytes of output that may be under way on each stream. */
  credit: number;
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
  const { id, bundle, config, rootfs, settings, credit } = plan;
  const { process, linux, mounts } = config;
  const p = new Assembler();
  const namespaces = planNamespaces(linux.namespaces, plan.joined);
  p.syscall("umask", [0]);
  const outer = lowerPlace(p, id, config, namespaces);
  const root = lowerRoot(p, rootfs);
  const inUserNamespace = has(linux.namespaces, "user");
  const sources = inUserNamespace ? takeSources(p, mounts, plan.sources) : plan.sources;
  lowerNames(p, config);
  if (namespaces.user) becomeRoot(p);
  lowerSysctls(p, linux.sysctl, false);
  if (namespaces.cgroup) {
    p.doing("make a cgroup namespace");
    p.syscall("unshare", [CLONE_NEWCGROUP]);
  }
  const cgroup = has(linux.namespaces, "cgroup") ? undefined : cgroupOf(id);
  lowerMounts(p, root, { mounts, sources, cgroup, bindSys: inUserNamespace });
  lowerDevices(p, root, { mounts, devices: linux.devices, bind: inUserNamespace });
  lowerReadonlyDev(p, root, mounts);
  p.doing(`make the working directory ${process.cwd}`);
  close(p, directoryInRoot(p, root, process.cwd));
  lowerCreateHooks(p, root, hookPlan("createContainer", config, id, bundle));
  lowerPivot(p, root);
  if (process.terminal) lowerTerminal(p, root, process, true);
  else lowerPipes(p, process);
  lowerReadonlyPaths(p, root, linux.readonlyPaths);
  lowerMaskedPaths(p, root, linux.maskedPaths);
  if (config.root.readonly) lowerReadonlyRoot(p, root);
  lowerPropagation(p, root, linux.rootfsPropagation);
  close(p, root);
  if (outer === undefined) lowerLimits(p, process, self(p));
  lowerProcess(p, process, { stop: true, hooks: hookPlan("startContainer", config, id, bundle), settings });
  const stdio = process.terminal ? Stdio.terminal : Stdio.stdin | Stdio.stdout | Stdio.stderr;
  const main = p.assemble({ flags: namespaces.clone, join: namespaces.pid, stdio, credit });
  return outer === undefined ? { main } : { main, outer };
}

/** Brings the process to its cgroup and into its namespaces. @returns the program for what it cannot do itself */
function lowerPlace(p: Assembler, id: string, config: Config, namespaces: NamespacePlan): Program | undefined {
  if (namespaces.time) {
    p.doing("make a time namespace");
    p.syscall("unshare", [CLONE_NEWTIME]);
  }
  let outer: Program | undefined;
  if (namespaces.user) {
    p.stop();
    const root = new Assembler();
    const target = argument(root);
    lowerOuter(root, id, config, target);
    lowerLimits(root, config.process, target);
    outer = root.assemble();
  } else lowerOuter(p, id, config, self(p));
  if (namespaces.time) {
    p.doing("enter the time namespace");
    const file = p.value("openat", [AT_FDCWD, p.text("/proc/self/ns/time_for_children"), O_RDONLY | O_CLOEXEC]);
    p.syscall("setns", [file, CLONE_NEWTIME]);
    close(p, file);
  }
  for (const [handle, flags] of namespaces.joins) {
    p.doing("join the namespaces of another container");
    p.syscall("setns", [new Pidfd(handle), flags]);
  }
  return outer;
}

/** Mounts the root file system where it can be pivoted to. @returns its descriptor */
function lowerRoot(p: Assembler, rootfs: string): Register {
  p.doing("mount the root file system");
  p.syscall("mount", [p.text("none"), p.text("/"), 0, MS_REC | MS_SLAVE, 0]);
  p.syscall("mount", [p.text(rootfs), p.text(rootPath), 0, MS_BIND | MS_REC, 0]);
  return p.value("openat", [AT_FDCWD, p.text(rootPath), O_PATH | O_DIRECTORY | O_CLOEXEC]);
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

/** Runs the createContainer hooks, in the container's mount namespace and below its root. */
function lowerCreateHooks(p: Assembler, root: Register, plan: HookPlan): void {
  requireHooks(p, root, plan);
  lowerHooks(p, plan, () => {
    p.syscall("fchdir", [root]);
    p.syscall("chroot", [p.text(".")]);
  });
}

/** Makes the container's root the root, and lets go of the machine's (pivot_root(2), "pivot_root(".", ".")"). */
function lowerPivot(p: Assembler, root: Register): void {
  p.doing("pivot to the root file system");
  p.syscall("fchdir", [root]);
  p.syscall("pivot_root", [p.text("."), p.text(".")]);
  p.syscall("umount2", [p.text("."), MNT_DETACH]);
  p.syscall("chdir", [p.text("/")]);
}

/** Last of all: a shared root cannot be pivoted to, and what is unbindable cannot be made read-only in parts. */
function lowerPropagation(p: Assembler, root: Register, propagation: string | undefined): void {
  if (propagation === undefined) return;
  p.doing(`make the root file system ${propagation}`);
  const mount = openInRoot(p, root, "/", O_PATH | O_DIRECTORY);
  setPropagation(p, mount, propagationFlags[propagation] ?? 0);
  close(p, mount);
}

function lowerReadonlyRoot(p: Assembler, root: Register): void {
  p.doing("make the root file system read-only");
  const mount = openInRoot(p, root, "/", O_PATH | O_DIRECTORY);
  setAttributes(p, mount, { set: MOUNT_ATTR_RDONLY, clear: 0 }, false);
  close(p, mount);
}
