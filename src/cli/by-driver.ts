/** Which of two does a command's work: that for machines, or that for containers on this host itself. Only that one is loaded. */
import { readFileSync } from "node:fs";
import { readConfig } from "../base/config";
import { RunvError } from "../base/error";
import { hostDriver } from "../base/host-driver";
import { isObject } from "../base/is-object";
import type { GlobalOptions } from "../base/settings";
import { withAnnotations } from "../container/making/annotations";
import { driverKeys } from "../hypervisor";
import type { Perform } from "./container";

interface OfContainer {
  global: GlobalOptions;
  id: string;
}

type Load<Options> = () => Promise<Perform<Options>>;

interface OfBundle extends OfContainer {
  bundle: string;
}

/** For a container that is yet to be made: what the command line says, else its annotation, else config.toml. */
export function byChoice<Options extends OfBundle>(inMachine: Load<Options>, onHost: Load<Options>): Perform<Options> {
  return async (options) => (await (chosenDriver(annotated(options)) === hostDriver ? onHost : inMachine)())(options);
}

/** With what the bundle's annotations say. A bundle that cannot be read is the command's to report. */
function annotated({ global, bundle }: OfBundle): GlobalOptions {
  try {
    const text = readFileSync(`${bundle}/config.json`, "utf8");
    // Nearly none has one, and a start has no time to read it twice.
    if (!text.includes("org.runv.driver")) return global;
    const config: { annotations?: Record<string, string> } = JSON.parse(text);
    return withAnnotations(global, config.annotations ?? {});
  } catch {
    return global;
  }
}

/** For a container that there is: what it was made on. */
export function byRecord<Options extends OfContainer>(
  inMachine: Load<Options>,
  onHost: Load<Options>,
): Perform<Options> {
  return async (options) => (await (isOnHost(options) ? onHost : inMachine)())(options);
}

/** For what only a machine has. @param what the command */
export function ofMachines<Options extends OfContainer>(what: string, inMachine: Load<Options>): Perform<Options> {
  return byRecord(inMachine, async () => async ({ id }) => {
    throw new RunvError("UNSUPPORTED", `runv ${what}: ${id} has no virtual machine (--driver host)`, {
      hint: "'docs/host-driver.md' lists what a container on the host has",
    });
  });
}

/** The driver that the command line asks for, else config.toml. */
export function chosenDriver({ driver }: GlobalOptions): string | undefined {
  return driver ?? readConfig(driverKeys).driver;
}

/** Looks at no more than that: the command reads the record itself, and says what is wrong with it. */
function isOnHost({ global, id }: OfContainer): boolean {
  return ["state.json", "state.json.copy"].some((name) => driverIn(`${global.root}/${id}/${name}`) === hostDriver);
}

function driverIn(file: string): unknown {
  try {
    const record: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isObject(record) ? record.driver : undefined;
  } catch {
    return undefined;
  }
}
