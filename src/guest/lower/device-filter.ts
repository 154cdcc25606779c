/** A cgroup's device list as a program of BPF_PROG_TYPE_CGROUP_DEVICE. */
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../../linux/constants";
import {
  BPF_CGROUP_DEVICE,
  BPF_DEVCG_DEV_BLOCK,
  BPF_DEVCG_DEV_CHAR,
  BPF_F_ALLOW_MULTI,
  BPF_PROG_ATTACH,
  BPF_PROG_LOAD,
  BPF_PROG_TYPE_CGROUP_DEVICE,
  Ebpf,
  type EbpfInstruction,
  encodeEbpf,
} from "../../linux/ebpf";
import type { DeviceRule } from "../../oci/devices";
import type { Assembler } from "../../program/assembler";
import { close } from "../../program/files";
import { type DeviceException, deviceList } from "./device-rules";

/** Registers: the verdict, the context, what was asked. */
const [verdict, context, type, access, major, minor] = [0, 1, 2, 3, 4, 5];

/** Has a cgroup allow the devices that the rules allow, and no others. */
export function lowerDeviceFilter(p: Assembler, cgroup: string, rules: readonly DeviceRule[]): void {
  p.doing("allow the container its devices");
  const code = deviceFilter(rules);
  const load = p.bytes(new Uint8Array(128));
  p.store(load, BPF_PROG_TYPE_CGROUP_DEVICE, 4);
  p.store(load.plus(4), code.length, 4);
  p.pointer(load.plus(8), p.bytes(encodeEbpf(code)));
  p.pointer(load.plus(16), p.text("Apache-2.0"));
  const program = p.value("bpf", [BPF_PROG_LOAD, load, 48]);
  const directory = p.value("openat", [AT_FDCWD, p.text(cgroup), O_RDONLY | O_DIRECTORY | O_CLOEXEC]);
  const attach = p.zeroed(16);
  p.store(attach, directory, 4);
  p.store(attach.plus(4), program, 4);
  p.store(attach.plus(8), BPF_CGROUP_DEVICE, 4);
  p.store(attach.plus(12), BPF_F_ALLOW_MULTI, 4);
  p.syscall("bpf", [BPF_PROG_ATTACH, attach, 16]);
  close(p, program, directory);
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
