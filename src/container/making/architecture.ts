/** For which architecture a container is: what its caller says, its annotation, or its command's file. */
import { RunvError } from "../../base/error";
import type { GlobalOptions } from "../../base/settings";
import { candidatesOf } from "../../guest/lower/command";
import { machineOf } from "../../image/elf";
import { type Architecture, architecture, architectureWords, imageNameOf } from "../../linux/syscalls";
import type { Bundle } from "../../oci/bundle";
import type { ContainerRecord } from "../record/store";
import { readInRoot } from "./read-in-root";

/** The annotation by which a container is given an architecture. */
const annotation = "org.runv.arch";
/** Where there is no command to be found, as where it is mounted, this tells for whom the files are. */
const usualProgram = "/bin/sh";
/** How often a script may be run by a script (linux/fs/exec.c). */
const mostScripts = 5;
const headSize = 256;

/**
 * The global options for a container's machine: with its architecture, as far as it can be told.
 * @param global as they were given; an architecture among them is the container's
 * @throws RunvError CONFIG_INVALID for an annotation that names none
 */
export function forItsArchitecture(global: GlobalOptions, { config, rootfs }: Bundle): GlobalOptions {
  const { arch } = global.driverOptions;
  if (arch !== undefined) return global;
  const told = config.annotations[annotation];
  if (told !== undefined && architectureWords[told] === undefined) {
    throw new RunvError(
      "CONFIG_INVALID",
      `annotations[${JSON.stringify(annotation)}]: there is no ${JSON.stringify(told)}`,
      {
        hint: `one of ${Object.keys(architectureWords).join(", ")}`,
      },
    );
  }
  const found =
    told === undefined ? architectureOfFiles(rootfs, candidatesOf(config.process)) : architectureWords[told];
  if (found === undefined) return global;
  return { ...global, driverOptions: { ...global.driverOptions, arch: found } };
}

/** @throws RunvError UNSUPPORTED when a container cannot be in the machine of another one */
export function assertSame(wanted: Architecture | undefined, { id, settings }: ContainerRecord): void {
  if (wanted === settings.architecture) return;
  const name = (of: Architecture = architecture) => imageNameOf(of);
  const message = `a container for ${name(wanted)} cannot be in the machine of ${id}, which is for ${name(settings.architecture)}`;
  throw new RunvError("UNSUPPORTED", message, { hint: "containers of one pod are of one architecture" });
}

/** That of the first of these programs that is there, or of whatever runs it. */
function architectureOfFiles(rootfs: string, candidates: readonly string[]): Architecture | undefined {
  for (const candidate of [...candidates, usualProgram]) {
    let path = candidate;
    for (let scripts = 0; scripts <= mostScripts; scripts++) {
      const head = readInRoot(rootfs, path, headSize);
      const machine = machineOf(head);
      if (machine !== undefined) return machine;
      const interpreter = /^#![ \t]*([^\s]+)/.exec(head.toString("latin1"))?.[1];
      if (interpreter === undefined) break;
      path = interpreter;
    }
  }
  return undefined;
}
