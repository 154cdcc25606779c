/** Which of two does a command's work: that for machines, or that for containers on this host itself. Only that one is loaded. */
import { readFileSync } from "node:fs";
import { readConfig } from "../base/config";
import { RunvError } from "../base/error";
import { hostDriver } from "../base/host-driver";
import { isObject } from "../base/is-object";
import type { GlobalOptions } from "../base/settings";
import { withAnnotations } from "../container/making/annotations";
import { driverKeys } from "../hypervisor";
import type { EarlyMonitor } from "../sandbox/early-monitor";
import type { Perform } from "./container";

interface OfContainer {
  global: GlobalOptions;
  id: string;
}

type Load<Options> = () => Promise<Perform<Options>>;

interface OfBundle extends OfContainer {
  bundle: string;
  early?: EarlyMonitor | undefined;
}

/** For a container that is yet to be made: what the command line says, else its annotation, else config.toml. */
export function byChoice<Options extends OfBundle>(inMachine: Load<Options>, onHost: Load<Options>): Perform<Options> {
  return async (options) => {
    const text = configText(options);
    if (chosenDriver(annotated(options.global, text)) === hostDriver) return (await onHost())(options);
    const early = (await import("../sandbox/early-monitor")).startEarly(options.global, text);
    try {
      return await (await inMachine())({ ...options, early });
    } finally {
      early?.dismiss();
    }
  };
}

/** What stands in config.json; undefined when it cannot be read, which is the command's to report. */
function configText({ bundle }: OfBundle): string | undefined {
  try {
    return readFileSync(`${bundle}/config.json`, "utf8");
  } catch {
    return undefined;
  }
}

/** With what the annotations say in this config.json. One that is no JSON is the command's to report. */
function annotated(global: GlobalOptions, text: string | undefined): GlobalOptions {
  // Nearly none has one, and a start has no time to read it twice.
  if (!text?.includes("org.runv.driver")) return global;
  try {
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
