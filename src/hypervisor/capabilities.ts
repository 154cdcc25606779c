/** What drivers can do and what not, in words: for errors, for `check` and `features`, and for the table of docs/hypervisors.md. */
import { RunvError } from "../base/error";
import type { Capabilities, Driver, Finding } from "./driver";
import { drivers } from "./index";

export type Capability = keyof Capabilities;

interface Words {
  /** After "the driver can". */
  what: string;
  /** What is left to those whose driver cannot. */
  instead: string;
}

const words: Readonly<Record<Capability, Words>> = {
  pause: {
    what: "stop the processors of a machine",
    instead: "runv pause stops a container's processes with any driver",
  },
  template: { what: "save a machine and clone it", instead: "machines of this driver boot" },
  fork: {
    what: "fork machines from one that has started already",
    instead: "machines of this driver are started, from a template where it can",
  },
  balloon: { what: "take memory back from a running machine", instead: "containers' limits hold in the guest" },
  freePageReporting: {
    what: "give back memory that a guest has freed",
    instead: "containers' limits hold in the guest",
  },
  hotplugNic: {
    what: "add network interfaces to a running machine",
    instead:
      "fill the network namespace before the container is created, with one interface; containers that share other namespaces share it",
  },
  hotplugDisk: { what: "add disks to a machine", instead: "mount the disk on the host, and the directory as a volume" },
  hotplugCpu: {
    what: "add processors to a running machine",
    instead: "create the container with the limits that it is to have",
  },
  hotplugMemory: {
    what: "add memory to a running machine",
    instead: "create the container with the limits that it is to have",
  },
};

const capabilities = Object.keys(words) as Capability[];

/** The error for what a driver has declared that it cannot do: it names an alternative. */
export function unsupported(driver: string, capability: Capability): RunvError {
  const { what, instead } = words[capability];
  const others = drivers().filter(({ name, capabilities }) => name !== driver && capabilities[capability]);
  const choice = others.length === 0 ? "" : `; or --driver ${others.map(({ name }) => name).join("|")}`;
  return new RunvError("UNSUPPORTED", `the driver ${driver} cannot ${what}`, { hint: `${instead}${choice}` });
}

/** What `check` says of a driver's capabilities. */
export function checkCapabilities({ name, capabilities: own }: Driver): Finding {
  const list = (can: boolean) => capabilities.filter((one) => own[one] === can).map((one) => words[one].what);
  const cannot = list(false);
  const detail = `it can ${list(true).join(", ")}${cannot.length === 0 ? "" : `; it cannot ${cannot.join(", ")}`}`;
  return { status: "ok", subject: `driver ${name}`, detail };
}

/** The annotations of the features document: what each driver can, by the names of its capabilities. */
export function featureAnnotations(): Record<string, string> {
  return Object.fromEntries(
    drivers().map(({ name, capabilities: own }) => [
      `org.hyper.runv.driver.${name}`,
      capabilities.filter((one) => own[one]).join(","),
    ]),
  );
}

/** The table of docs/hypervisors.md, in Markdown. */
export function capabilityTable(): string {
  const all = drivers();
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  return [
    row(["", ...all.map(({ name }) => `\`${name}\``)]),
    `|---|${all.map(() => "---|").join("")}\n`,
    ...capabilities.map((one) =>
      row([words[one].what, ...all.map((driver) => (driver.capabilities[one] ? "yes" : "no"))]),
    ),
    row(["the share", ...all.map(({ guestMount }) => guestMount.type)]),
  ].join("");
}
