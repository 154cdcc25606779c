/**
 * The description of a domain for `xl create`: `key = value` in lines, a value being a number, a text in quotes or a list of texts.
 *
 * @see xl.cfg(5), xl-network-configuration(5)
 */
import { RunvError } from "../../base/error";
import { commandLineOf } from "../../image/command-line";
import type { MachineSize, MachineSpec } from "../driver";
import type { DomainType } from "./host";

type Value = number | string | readonly string[];

/** Room for memory that is added takes memory of the guest, to describe it: 16 MiB for each GiB. */
const mostGrowth = 4;

/** How many channels a domain has: see `domainConfig`. */
const channels = [0, 1] as const;

/** The socket of a domain's channel. */
export function channelSocket(directory: string, channel: number): string {
  return `${directory}/agent-${channel}`;
}

/** What a domain can have at most. */
export function mostOf({ cpus, memoryMiB, most }: Pick<MachineSpec, "cpus" | "memoryMiB" | "most">): MachineSize {
  return {
    cpus: Math.max(cpus, most?.cpus ?? cpus),
    memoryMiB: Math.max(memoryMiB, Math.min(most?.memoryMiB ?? memoryMiB, memoryMiB * mostGrowth)),
  };
}

/**
 * Describes a machine.
 *
 * Its agent speaks over a channel, which is a console of the guest's after the first: /dev/hvc1. libxl 4.17 makes a socket for the first
 * channel of the list but no console, others may, so there are two: `agentChannel` tells which is which.
 *
 * @throws RunvError VM_XEN_START for a path that cannot be written there
 */
export function domainConfig(spec: MachineSpec, type: DomainType): string {
  const { name, kernel, initrd, cpus, memoryMiB, share, directory } = spec;
  const most = mostOf(spec);
  const settings: Record<string, Value> = {
    name,
    type,
    kernel,
    ramdisk: initrd,
    cmdline: kernelCommandLine(spec),
    vcpus: cpus,
    maxvcpus: most.cpus,
    memory: memoryMiB,
    maxmem: most.memoryMiB,
    on_poweroff: "destroy",
    on_reboot: "destroy",
    on_crash: "destroy",
    channel: channels.map(
      (index) => `name=runv.agent.${index},connection=socket,path=${channelSocket(directory, index)}`,
    ),
    ...(share && { p9: [`tag=${share.tag},path=${share.path},security_model=none`] }),
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key} = ${format(value)}\n`)
    .join("");
}

function kernelCommandLine({ commandLine = [] }: MachineSpec): string {
  const console = commandLineOf().filter((word) => !word.startsWith("console=") && !word.startsWith("8250."));
  return ["console=hvc0", ...console, "loglevel=6", "runv.agent=/dev/hvc1", ...commandLine].join(" ");
}

function format(value: Value): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return quote(value);
  return `[ ${value.map(quote).join(", ")} ]`;
}

/** xl knows no escapes in a text, but two kinds of quotes. */
function quote(text: string): string {
  const mark = ['"', "'"].find((mark) => !text.includes(mark));
  if (mark !== undefined && !text.includes("\n") && !text.includes("\\")) return `${mark}${text}${mark}`;
  throw new RunvError("VM_XEN_START", `describe the machine to xl: ${JSON.stringify(text)} cannot be written there`);
}
