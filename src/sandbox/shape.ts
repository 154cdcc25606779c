import { availableParallelism, totalmem } from "node:os";
import type { Resources } from "../oci/resources";

/** What a guest needs for itself: its kernel, the page cache that makes it quick, init. In MiB. */
const guestNeedsMiB = 96;
/** Memory comes in steps, so that machines of nearly the same size are of the same shape. In MiB. */
const stepMiB = 32;

/** The size of a virtual machine. */
export interface Shape {
  cpus: number;
  memoryMiB: number;
}

/**
 * The machine for a container with these limits: its memory and what the guest needs beside it, and as many processors as its
 * quota fills.
 * @param defaults for a container without limits
 */
export function shapeFor(resources: Resources | undefined, defaults: Shape): Shape {
  const { memory, cpu } = resources ?? {};
  const limit = Number(memory?.limit ?? 0);
  const quota = Number(cpu?.quota ?? 0);
  const period = Number(cpu?.period ?? 0) || 100_000;
  return {
    memoryMiB: limit <= 0 ? defaults.memoryMiB : roundUp(Math.ceil(limit / 2 ** 20) + guestNeedsMiB),
    cpus: quota <= 0 ? defaults.cpus : Math.ceil(quota / period),
  };
}

/** Room for more processors costs the guest a little memory for each. */
const mostCpus = 16;

/**
 * How far a machine can grow: to what the host has, so that all machines of a host are alike but for what they begin with.
 * @param host what the host has
 */
export function mostFor({ cpus, memoryMiB }: Shape, host: Shape = hostShape()): Shape {
  return {
    cpus: Math.max(cpus, Math.min(host.cpus, mostCpus)),
    memoryMiB: Math.max(memoryMiB, Math.ceil(host.memoryMiB / 1024) * 1024),
  };
}

function hostShape(): Shape {
  return { cpus: availableParallelism(), memoryMiB: Math.floor(totalmem() / 2 ** 20) };
}

function roundUp(memoryMiB: number): number {
  return Math.ceil(memoryMiB / stepMiB) * stepMiB;
}
