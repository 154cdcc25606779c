/** What a guest does about processors and memory that its machine was given. */
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../linux/constants";
import { Assembler } from "../program/assembler";
import { close, writeText } from "../program/files";
import type { Program } from "../program/program";
import { repeatedly } from "../program/repeat";

/** struct sysinfo (sysinfo(2)): its size, and where totalram is. */
const sysinfoSize = 112;
const totalram = 32;

/** Puts processors to work as soon as they are there: those numbered from `first` to before `end`. */
export function bringUpCpus(first: number, end: number): Program {
  const p = new Assembler();
  for (let cpu = first; cpu < end; cpu++) {
    p.doing(`bring up processor ${cpu}`);
    const path = p.text(`/sys/devices/system/cpu/cpu${cpu}/online`);
    const file = p.register();
    repeatedly(p, (again) => {
      p.syscall("openat", [AT_FDCWD, path, O_WRONLY | O_CLOEXEC], { into: file, accept: ["ENOENT"], otherwise: again });
      writeText(p, file, "1");
      close(p, file);
    });
  }
  return p.assemble();
}

/** Puts out how many bytes of memory the guest has. */
export function readMemorySize(): Program {
  const p = new Assembler();
  p.doing("read the guest's memory size");
  const info = p.zeroed(sysinfoSize);
  p.syscall("sysinfo", [info]);
  p.output(info.plus(totalram), 8);
  return p.assemble();
}

/** Reads what readMemorySize put out. */
export function decodeMemorySize(output: Uint8Array): number {
  return output.length < 8 ? 0 : Number(new DataView(output.buffer, output.byteOffset).getBigUint64(0, true));
}

/** Waits until the guest has so many bytes of memory. */
export function awaitMemory(bytes: number): Program {
  const p = new Assembler();
  p.doing("take up memory that was added");
  const info = p.zeroed(sysinfoSize);
  const size = p.register();
  repeatedly(p, (again) => {
    p.syscall("sysinfo", [info]);
    p.load(info.plus(totalram), 8, size);
    p.jumpIf(size, "<", bytes, again);
  });
  return p.assemble();
}
