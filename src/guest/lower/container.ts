import {
  AT_FDCWD,
  CLONE_NEWCGROUP,
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MS_BIND,
  MS_REC,
  MS_SLAVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
} from "../../linux/constants";
import type { Config } from "../../oci/config";
import { propagationFlags } from "../../oci/mount-options";
import { sysctlFile } from "../../oci/sysctl";
import { Assembler, type Register } from "../../program/assembler";
import { close, writeFile } from "../../program/files";
import { Stdio } from "../../program/instruction";
import type { Program } from "../../program/program";
import { rootPath } from "../prepare";
import { cgroupOf, joinCgroup, lowerCgroup } from "./cgroup";
import { lowerDevices } from "./devices";
import { type HookPlan, hookPlan, lowerHooks, requireHooks } from "./hooks";
import { type BoundSource, lowerMounts, lowerReadonlyDev, setAttributes } from "./mounts";
import { cloneFlags, has } from "./namespaces";
import { lowerProcess } from "./process";
import { lowerMaskedPaths, lowerReadonlyPaths } from "./restrictions";
import { directoryInRoot, openInRoot } from "./root";
import type { SharedSettings } from "./settings";
import { lowerPipes, lowerTerminal } from "./stdio";

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
  settings: SharedSettings;
  /** Bytes of output that may be under way on each stream. */
  credit: number;
}

/**
 * The program that makes a container in the guest and becomes its first process. It stops once everything is ready and the
 * command is found, and goes on when the container is started.
 * @throws RunvError CONFIG_UNSUPPORTED for what the specification has and runv refuses
 */
export function lowerContainer({ id, bundle, config, rootfs, sources, settings, credit }: ContainerPlan): Program {
  const { process, linux, mounts } = config;
  const p = new Assembler();
  const flags = cloneFlags(linux.namespaces);
  p.syscall("umask", [0]);
  lowerCgroup(p, id, linux.resources);
  joinCgroup(p, id);
  if (has(linux.namespaces, "cgroup")) {
    p.doing("make a cgroup namespace");
    p.syscall("unshare", [CLONE_NEWCGROUP]);
  }
  const root = lowerRoot(p, rootfs, linux.rootfsPropagation);
  const cgroup = has(linux.namespaces, "cgroup") ? undefined : cgroupOf(id);
  lowerMounts(p, root, { mounts, sources, cgroup });
  lowerDevices(p, root, mounts, linux.devices);
  lowerReadonlyDev(p, root, mounts);
  lowerSystem(p, config);
  p.doing(`make the working directory ${process.cwd}`);
  close(p, directoryInRoot(p, root, process.cwd));
  lowerCreateHooks(p, root, hookPlan("createContainer", config, id, bundle));
  lowerPivot(p, root);
  if (process.terminal) lowerTerminal(p, root, process, true);
  else lowerPipes(p, process);
  lowerReadonlyPaths(p, root, linux.readonlyPaths);
  lowerMaskedPaths(p, root, linux.maskedPaths);
  if (config.root.readonly) lowerReadonlyRoot(p, root);
  close(p, root);
  lowerProcess(p, process, { stop: true, hooks: hookPlan("startContainer", config, id, bundle), settings });
  const stdio = process.terminal ? Stdio.terminal : Stdio.stdin | Stdio.stdout | Stdio.stderr;
  return p.assemble({ flags, stdio, credit });
}

/** Mounts the root file system where it can be pivoted to. @returns its descriptor */
function lowerRoot(p: Assembler, rootfs: string, propagation = "rslave"): Register {
  p.doing("mount the root file system");
  p.syscall("mount", [p.text("none"), p.text("/"), 0, MS_REC | MS_SLAVE, 0]);
  p.syscall("mount", [p.text(rootfs), p.text(rootPath), 0, MS_BIND | MS_REC, 0]);
  p.syscall("mount", [p.text("none"), p.text(rootPath), 0, propagationFlags[propagation] ?? 0, 0]);
  return p.value("openat", [AT_FDCWD, p.text(rootPath), O_PATH | O_DIRECTORY | O_CLOEXEC]);
}

/** Names, sysctls and what else is written while the machine's own /proc is in sight. */
function lowerSystem(p: Assembler, { hostname, domainname, linux, process }: Config): void {
  if (hostname !== undefined) {
    p.doing("set the hostname");
    p.syscall("sethostname", [p.text(hostname), Buffer.byteLength(hostname)]);
  }
  if (domainname !== undefined) {
    p.doing("set the domainname");
    p.syscall("setdomainname", [p.text(domainname), Buffer.byteLength(domainname)]);
  }
  for (const [name, value] of Object.entries(linux.sysctl)) {
    p.doing(`set the sysctl ${name} to ${value}`);
    writeFile(p, `/proc/sys/${sysctlFile(name)}`, value);
  }
  if (process.oomScoreAdj !== undefined) {
    p.doing(`set oom_score_adj to ${process.oomScoreAdj}`);
    writeFile(p, "/proc/self/oom_score_adj", String(process.oomScoreAdj));
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

function lowerReadonlyRoot(p: Assembler, root: Register): void {
  p.doing("make the root file system read-only");
  const mount = openInRoot(p, root, "/", O_PATH | O_DIRECTORY);
  setAttributes(p, mount, { set: MOUNT_ATTR_RDONLY, clear: 0 }, false);
  close(p, mount);
}
