/** A cgroup's device list as a program of BPF_PROG_TYPE_CGROUP_DEVICE. */
import { AT_FDCWD, MS_NODEV, MS_NOEXEC, MS_NOSUID, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../../linux/constants";
import {
  BPF_CGROUP_DEVICE,
  BPF_DEVCG_DEV_BLOCK,
  BPF_DEVCG_DEV_CHAR,
  BPF_F_ALLOW_MULTI,
  BPF_OBJ_GET,
  BPF_OBJ_PIN,
  BPF_PROG_ATTACH,
  BPF_PROG_LOAD,
  BPF_PROG_TYPE_CGROUP_DEVICE,
  Ebpf,
  type EbpfInstruction,
  encodeEbpf,
} from "../../linux/ebpf";
import type { DeviceRule } from "../../oci/devices";
import type { Address, Assembler, Register, SyscallOptions } from "../../program/assembler";
import { close } from "../../program/files";
import { cgroupPath } from "../places";
import { type DeviceException, deviceList } from "./device-rules";

/** Where the guest keeps filters that are ready: a file system of type bpf. */
const filters = "/run/bpf";
/** A cgroup that no container can have. */
const nobodys = `${cgroupPath}/@devices`;
/** The lists that nearly all containers have: of Docker and ctr, which allow the console, and of podman and CRI. */
const usual: readonly (readonly DeviceRule[])[] = [
  [{ allow: false }, { allow: true, type: "c", major: 5, minor: 1 }],
  [{ allow: false }],
];
/** Bytes of union bpf_attr as far as they are used. */
const objectSize = 16;
/** Bytes of struct bpf_insn. */
const instructionSize = 8;

/** Registers: the verdict, the context, what was asked. */
const [verdict, context, type, access, major, minor] = [0, 1, 2, 3, 4, 5];

/**
 * Has a cgroup allow the devices that the rules allow, and no others.
 * @param ready whether the kernel may have the filter already, as a guest that was prepared
 */
export function lowerDeviceFilter(
  p: Assembler,
  cgroup: string,
  rules: readonly DeviceRule[],
  { ready: mayBeReady } = { ready: true },
): void {
  p.doing("allow the container its devices");
  const code = encodeEbpf(deviceFilter(rules));
  const program = p.register();
  const [load, attach] = [p.label(), p.label()];
  const ready = mayBeReady ? usualFilter(rules) : undefined;
  if (ready !== undefined) {
    p.syscall("bpf", [BPF_OBJ_GET, objectAt(p, ready), objectSize], { accept: "any", otherwise: load, into: program });
    p.jump(attach);
  }
  p.place(load);
  loadFilter(p, code, program);
  p.place(attach);
  attachFilter(p, cgroup, program);
  close(p, program);
}

/**
 * Loads the filters of the usual lists, for containers to come: the kernel's proof that a program ends is long, and the first that is
 * attached to a cgroup, which here is nobody's, has the kernel patch itself. A kernel that has no place to keep them does without.
 */
export function lowerUsualFilters(p: Assembler): void {
  p.doing("load the filters of the usual devices");
  const end = p.label();
  const unless = { accept: "any", otherwise: end } as const;
  p.syscall("mkdirat", [AT_FDCWD, p.text(filters), 0o700], { accept: ["EEXIST"] });
  p.syscall("mount", [p.text("bpf"), p.text(filters), p.text("bpf"), MS_NOSUID | MS_NODEV | MS_NOEXEC, 0], unless);
  p.syscall("mkdirat", [AT_FDCWD, p.text(nobodys), 0o755], unless);
  for (const [index, rules] of usual.entries()) {
    const program = p.register();
    loadFilter(p, encodeEbpf(deviceFilter(rules)), program, unless);
    const object = objectAt(p, filterPath(index));
    p.store(object.plus(8), program, 4);
    p.syscall("bpf", [BPF_OBJ_PIN, object, objectSize], unless);
    if (index === 0) attachFilter(p, nobodys, program, unless);
    close(p, program);
  }
  p.place(end);
}

/** @returns where the guest may have the filter of these rules */
export function usualFilter(rules: readonly DeviceRule[]): string | undefined {
  const wanted = JSON.stringify(deviceList(rules));
  const index = usual.findIndex((rules) => JSON.stringify(deviceList(rules)) === wanted);
  return index < 0 ? undefined : filterPath(index);
}

function filterPath(index: number): string {
  return `${filters}/devices-${index}`;
}

/** The head of union bpf_attr for BPF_OBJ_*: a path, a descriptor, flags. */
function objectAt(p: Assembler, path: string): Address {
  const attributes = p.bytes(new Uint8Array(objectSize));
  p.pointer(attributes, p.text(path));
  return attributes;
}

function loadFilter(p: Assembler, code: Uint8Array, into: Register, options: SyscallOptions = {}): void {
  const load = p.bytes(new Uint8Array(48));
  p.store(load, BPF_PROG_TYPE_CGROUP_DEVICE, 4);
  p.store(load.plus(4), code.length / instructionSize, 4);
  p.pointer(load.plus(8), p.bytes(code));
  p.pointer(load.plus(16), p.text("Apache-2.0"));
  p.syscall("bpf", [BPF_PROG_LOAD, load, 48], { ...options, into });
}

function attachFilter(p: Assembler, cgroup: string, program: Register, options: SyscallOptions = {}): void {
  const directory = p.value("openat", [AT_FDCWD, p.text(cgroup), O_RDONLY | O_DIRECTORY | O_CLOEXEC]);
  const attach = p.zeroed(16);
  p.store(attach, directory, 4);
  p.store(attach.plus(4), program, 4);
  p.store(attach.plus(8), BPF_CGROUP_DEVICE, 4);
  p.store(attach.plus(12), BPF_F_ALLOW_MULTI, 4);
  p.syscall("bpf", [BPF_PROG_ATTACH, attach, 16], options);
  close(p, directory);
}

/** The program that the kernel asks before a device is opened or made: 1 allows it. */
export function deviceFilter(rules: readonly DeviceRule[]): EbpfInstruction[] {
  const { allow, exceptions } = deviceList(rules);
  return [
    { code: Ebpf.loadWord, dst: type, src: context },
    { code: Ebpf.moveRegister, dst: access, src: type },
    { code: Ebpf.andImmediate, dst: type, immediate: 0xffff },
    { code: Ebpf.shiftRight, dst: access, immediate: 16 },
    { code: Ebpf.loadWord, dst: major, src: context, offset: 4 },
    { code: Ebpf.loadWord, dst: minor, src: context, offset: 8 },
    ...exceptions.flatMap((exception) => exceptionCode(exception, !allow)),
    ...answer(allow),
  ];
}

/** Answers if the exception is about what was asked: an allowing one about all of it, a denying one about any of it. */
function exceptionCode(exception: DeviceException, allow: boolean): EbpfInstruction[] {
  const temporary = 1;
  const kind = exception.type === "b" ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
  const tests: EbpfInstruction[] = [{ code: Ebpf.jumpDifferent, dst: type, immediate: kind }];
  if (exception.major !== undefined) tests.push({ code: Ebpf.jumpDifferent, dst: major, immediate: exception.major });
  if (exception.minor !== undefined) tests.push({ code: Ebpf.jumpDifferent, dst: minor, immediate: exception.minor });
  if (allow) {
    tests.push(
      { code: Ebpf.moveRegister, dst: temporary, src: access },
      { code: Ebpf.andImmediate, dst: temporary, immediate: exception.access },
      { code: Ebpf.jumpDifferentRegister, dst: temporary, src: access },
    );
  } else {
    tests.push({ code: Ebpf.jumpSet, dst: access, immediate: exception.access, offset: 1 }, { code: Ebpf.jump });
  }
  const then = answer(allow);
  const end = tests.length + then.length;
  const skips = [Ebpf.jumpDifferent, Ebpf.jumpDifferentRegister, Ebpf.jump] as readonly number[];
  const out = tests.map((test, index) => (skips.includes(test.code) ? { ...test, offset: end - index - 1 } : test));
  return [...out, ...then];
}

function answer(allow: boolean): EbpfInstruction[] {
  return [{ code: Ebpf.moveImmediate, dst: verdict, immediate: allow ? 1 : 0 }, { code: Ebpf.exit }];
}
