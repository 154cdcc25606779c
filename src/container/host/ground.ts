/** What a container of this host is made on, where that is another than a guest: see `Ground`. */
import { basename } from "node:path";
import { lowerBind } from "../../guest/lower/bind";
import { lowerDeviceFilter } from "../../guest/lower/device-filter";
import type { Ground } from "../../guest/lower/ground";
import { attach, newFileSystem, setAttributes } from "../../guest/lower/mount-calls";
import { type MountOptions, sortMountOptions } from "../../guest/lower/mount-flags";
import { directoryInRoot, openInRoot } from "../../guest/lower/root";
import { statusAt, statusOf, unlessNull } from "../../guest/lower/status";
import { appArmorExecFile } from "../../linux/apparmor";
import {
  AF_INET,
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_WRONLY,
  RLIMIT_NOFILE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
} from "../../linux/constants";
import { syscall } from "../../linux/local";
import type { Mount } from "../../oci/mounts";
import { findNamespace } from "../../oci/namespaces";
import type { Process } from "../../oci/process";
import type { Address, Assembler, Label, Operand, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { Stdio } from "../../program/instruction";
import type { OwnCgroup } from "../cgroup/host-cgroup";

/** What this host's ground is told. */
export interface HostPlace {
  id: string;
  cgroups: readonly OwnCgroup[];
  /** Somebody waits for the first process before that makes its container: hooks. */
  waitsAtBirth: boolean;
  /** The session keyring is to be a new one: the caller's has keys of the host. */
  keyring: boolean;
  /** The socket of the program's words, in its process. */
  words: number;
  /** Whether the streams are left to the container: they become its user's then, whatever they are. */
  detach: boolean;
  /** Where its process waits for another command to start it; undefined: this one does. */
  listener?: number | undefined;
  /** The process's profile of AppArmor. */
  profile: string | undefined;
}

/** This host's ground for a container. */
export function hostGround(place: HostPlace): Ground {
  const { id, cgroups, waitsAtBirth, keyring, words, detach, listener, profile } = place;
  /** What a process that is yet to lose its host's /proc writes its profile to. */
  let label: Register | undefined;
  return {
    cloned: ["pid", "uts", "ipc", "user", "network"],
    waitsAtBirth,
    descriptors: fileLimit(),
    rootPlace: (rootfs) => rootfs,
    enterCgroup(p, { linux }, { text, length }) {
      for (const { hierarchy, directory } of cgroups) {
        if (hierarchy.version === 2) lowerDeviceFilter(p, directory, linux.resources?.devices ?? [], { ready: false });
        joinDirectory(p, directory, text, length);
      }
    },
    joinFirst(p, _, subCgroup) {
      for (const { directory } of cgroups) {
        joinDirectory(p, subCgroup ? `${directory}/${subCgroup}` : directory, p.text("0"), 1);
      }
      if (keyring) joinKeyring(p, id);
      if (profile !== undefined) applyProfile(p, profile, openLabel(p));
    },
    settle(p, { linux }) {
      const network = findNamespace(linux.namespaces, "network");
      if (network !== undefined && network.path === undefined) raiseLoopback(p);
      if (keyring) joinKeyring(p, id);
      if (profile !== undefined) label = openLabel(p);
    },
    cgroup: cgroups.find(({ hierarchy }) => hierarchy.version === 2)?.directory ?? "",
    mountCgroups(p, root, mount, options) {
      const legacy = cgroups.filter(({ hierarchy }) => hierarchy.version === 1);
      if (mount.type !== "cgroup" || legacy.length === 0) return false;
      mountLegacy(p, root, mount, options, legacy);
      return true;
    },
    bindsSys: false,
    // They are programs of this host.
    requireHooks: () => {},
    hooksInRoot: false,
    // The streams are the caller's own; a terminal is handed to it.
    stdio: ({ terminal }) => (terminal ? Stdio.terminal : 0),
    lowerStreams: (p, process) => lowerStreams(p, process, detach),
    waitForStart(p) {
      // As runc: createContainer hooks run without it, startContainer hooks with it.
      if (profile !== undefined && label !== undefined) applyProfile(p, profile, label);
      p.stop();
      if (listener !== undefined) acceptStart(p, listener, words);
    },
  };
}

/** How many descriptors this process may have at most, and so one that it starts: more than that takes a privilege. */
function fileLimit(): number {
  const limit = new BigUint64Array(2);
  syscall("prlimit64", 0, RLIMIT_NOFILE, 0, new Uint8Array(limit.buffer));
  return Number(limit[1]);
}

function joinDirectory(p: Assembler, directory: string, pid: Operand, length: Operand): void {
  p.doing(`join the cgroup ${directory}`);
  const file = p.value("openat", [AT_FDCWD, p.text(`${directory}/cgroup.procs`), O_WRONLY | O_CLOEXEC]);
  p.syscall("write", [file, pid, length]);
  close(p, file);
}

/**
 * The cgroups of version 1, each on a directory with its hierarchy's name, as containers look for them. A mount of the container's own cgroup looks the
 * same as one that is made in a cgroup namespace: cgroup_namespaces(7).
 */
function mountLegacy(
  p: Assembler,
  root: Register,
  { destination }: Mount,
  options: MountOptions,
  cgroups: readonly OwnCgroup[],
): void {
  const what = `mount the container's cgroups on ${destination}`;
  p.doing(what);
  const tree = newFileSystem(p, "tmpfs", "tmpfs", sortMountOptions(["mode=755"]));
  attach(p, tree, directoryInRoot(p, root, destination), sortMountOptions(["nosuid", "nodev", "noexec"]));
  const top = openInRoot(p, root, destination, O_PATH | O_DIRECTORY);
  for (const { hierarchy, directory } of cgroups) {
    const name = basename(hierarchy.mountPoint);
    lowerBind(p, root, `${destination}/${name}`, options, { path: directory, directory: true });
    p.doing(what);
    for (const controller of hierarchy.controllers) {
      if (controller === name || controller.includes("=")) continue;
      p.syscall("symlinkat", [p.text(name), top, p.text(controller)], { accept: ["EEXIST"] });
    }
  }
  setAttributes(p, top, options.attributes, false);
  close(p, top);
}

/** The upper byte of a mode as S_IFIFO and S_IFSOCK have it, and what is behind each of them. */
const [fifo, behindFifo, socket, behindSocket] = [0x10, 0x20, 0xc0, 0xd0];

/**
 * Begins a session and gives the streams to the process's user, so that it can open /dev/stdout. Their group stays, and the host keeps its /dev/null. Of a
 * caller that stays in the foreground these are its terminal and its files, which runc has pipes in front of: only pipes and sockets change hands then.
 */
function lowerStreams(p: Assembler, { user }: Process, all: boolean): void {
  p.doing("give the standard streams to the process's user");
  p.syscall("setsid", [], { accept: ["EPERM"] });
  for (const fd of [0, 1, 2]) {
    const [give, done] = [p.label(), p.label()];
    const status = statusOf(p, fd);
    unlessNull(p, status, give);
    p.jump(done);
    p.place(give);
    const owner = p.load(status.plus(statusAt.uid), 4);
    p.jumpIf(owner, "=", user.uid, done);
    if (!all) unlessConnected(p, status, done);
    p.syscall("fchown", [fd, user.uid, -1], { accept: "any" });
    p.place(done);
    p.release(owner);
  }
}

/** Goes on at `otherwise` unless a file is a pipe or a socket. */
function unlessConnected(p: Assembler, status: Address, otherwise: Label): void {
  const connected = p.label();
  const type = p.load(status.plus(statusAt.mode + 1), 1);
  p.jumpIf(type, "<", fifo, otherwise);
  p.jumpIf(type, "<", behindFifo, connected);
  p.jumpIf(type, "<", socket, otherwise);
  p.jumpIf(type, "≥", behindSocket, otherwise);
  p.place(connected);
  p.release(type);
}

/** linux/sockios.h, net/if.h */
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
/** struct ifreq: a name of 16 bytes, and the flags. */
const ifreqSize = 40;

/** A network namespace begins with its loopback device down. */
function raiseLoopback(p: Assembler): void {
  p.doing("bring the loopback device up");
  const request = new Uint8Array(ifreqSize);
  request.set(Buffer.from("lo"));
  const ifreq = p.bytes(request);
  const socket = p.value("socket", [AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0]);
  p.syscall("ioctl", [socket, SIOCGIFFLAGS, ifreq]);
  p.store(ifreq.plus(16), IFF_UP, 1);
  p.syscall("ioctl", [socket, SIOCSIFFLAGS, ifreq]);
  close(p, socket);
}

/** linux/keyctl.h */
const KEYCTL_JOIN_SESSION_KEYRING = 1;
const KEYCTL_SETPERM = 5;
/** The usual permissions (keyctl_setperm(3)), and as runc that its user may search it. */
const keyringPermissions = 0x3f_1b_00_00;

/** keyctl_join_session_keyring(3). A kernel may be without keys, or a filter around this one without the call. */
function joinKeyring(p: Assembler, id: string): void {
  p.doing("make a session keyring");
  const without = p.label();
  const options = { accept: ["ENOSYS", "EPERM"], otherwise: without } as const;
  const keyring = p.value("keyctl", [KEYCTL_JOIN_SESSION_KEYRING, p.text(`_ses.${id}`), 0, 0, 0], options);
  p.syscall("keyctl", [KEYCTL_SETPERM, keyring, keyringPermissions, 0, 0]);
  p.place(without);
  p.release(keyring);
}

/** Opens what a profile of AppArmor is written to, which is this host's and not to be had in the container. */
function openLabel(p: Assembler): Register {
  p.doing("open this process's attributes of AppArmor");
  return p.value("openat", [AT_FDCWD, p.text(appArmorExecFile()), O_WRONLY | O_CLOEXEC]);
}

/** Has the command be confined by a profile: aa_change_onexec(2). */
function applyProfile(p: Assembler, profile: string, label: Register): void {
  p.doing(`apply the AppArmor profile ${profile}`);
  const words = `exec ${profile}`;
  p.syscall("write", [label, p.text(words), Buffer.byteLength(words)]);
  close(p, label);
}

/** Waits for a command that connects, and speaks to it from then on. */
function acceptStart(p: Assembler, listener: number, words: number): void {
  p.doing("wait to be started");
  const connection = p.value("accept4", [listener, 0, 0, SOCK_CLOEXEC]);
  p.syscall("dup3", [connection, words, O_CLOEXEC]);
  close(p, connection);
  p.syscall("close", [listener]);
}
