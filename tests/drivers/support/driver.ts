/** The drivers that the conformance suite runs on: those that RUNV_TEST_DRIVERS names ("kvm,xen"), else all that this machine can have. */
import type { Rig } from "../../support/rig";
import type { RunvOptions } from "../../support/runv";
import { libvirt } from "./libvirt";
import { tcg } from "./tcg";

/** A driver, and what it takes to try it. */
export interface DriverUnderTest {
  /** The word for `--driver`. */
  name: string;
  /** Why this machine does not have it, and what it would take. */
  missing?(): string | undefined;
  /** Starts what it needs besides. */
  prepare?(directory: string): Promise<Prepared>;
}

export interface Prepared {
  /** Flags for runv beside `--driver`. */
  flags: readonly string[];
  undo(): Promise<void>;
}

/** What is tried where nothing is named. */
const here: readonly DriverUnderTest[] = [tcg, libvirt];

/** The drivers to try. One that is named must work; of the others it is said why they are left out. */
export function driversUnderTest(named = process.env.RUNV_TEST_DRIVERS): readonly DriverUnderTest[] {
  if (named) return named.split(",").map((name) => here.find((driver) => driver.name === name) ?? { name });
  return here.filter(({ name, missing }) => {
    const why = missing?.();
    if (why !== undefined) process.stderr.write(`driver ${name} is not tried: ${why}\n`);
    return why === undefined;
  });
}

/** The same rig, whose runv has these flags before the command. */
export function withFlags(rig: Rig, flags: readonly string[]): Rig {
  const all = (args: readonly string[]) => [...flags, ...args];
  return {
    ...rig,
    runv: (args, options?: RunvOptions) => rig.runv(all(args), options),
    spawn: (args, options?: RunvOptions) => rig.spawn(all(args), options),
    command: (args) => rig.command(all(args)),
  };
}
