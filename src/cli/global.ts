/** The flags before the command. */
import { resolve } from "node:path";
import { defaultRoot } from "../base/default-root";
import { RunvError } from "../base/error";
import { hostDriver } from "../base/host-driver";
import type { GlobalOptions } from "../base/settings";
import { driverSettings, drivers } from "../hypervisor";
import { bool, type Flag, type FlagValues, int, string } from "./flags";
import { usage } from "./parse";

/** Those of the drivers' settings that have a flag. */
const settingFlags: Readonly<Record<string, Flag & { kind: "string" }>> = Object.fromEntries(
  driverSettings.flatMap(({ flag, usage }) => (flag === undefined ? [] : [[flag, string(usage)]])),
);

export const globalFlags = {
  debug: bool("enable debug logging"),
  log: string("set the log file to write runv logs to (default is '/dev/stderr')"),
  "log-format": string("set the log format ('text' (default), or 'json')", { default: "text" }),
  root: string("root directory for storage of container state (this should be located in tmpfs)", {
    default: defaultRoot,
  }),
  trace: string("write a timeline of what runv does, in Chrome's trace event format, to a file"),
  criu: string("accepted for runc's callers; the VM is saved whole", { hidden: true }),
  log_dir: string("accepted for runV 1.0's callers; --log is the log", { hidden: true }),
  bios: string("of runV 1.0; refused", { hidden: true }),
  cbfs: string("of runV 1.0; refused", { hidden: true }),
  vbox: string("of runV 1.0; refused", { hidden: true }),
  "systemd-cgroup": bool(
    'enable systemd cgroup support, expects cgroupsPath to be of form "slice:prefix:name" for e.g. "system.slice:runv:434234"',
  ),
  rootless: string("ignore cgroup permission errors ('true', 'false', or 'auto')", { default: "auto" }),
  kernel: string("kernel of the VMs"),
  initrd: string("initrd of the VMs, made by 'runv image build'"),
  driver: string(
    `hypervisor driver (${["auto", ...drivers().map(({ name }) => name)].map((name) => `'${name}'`).join(", ")}), or '${hostDriver}': no virtual machine`,
  ),
  template: string("directory of the templates that VMs are cloned from"),
  "no-template": bool("boot each VM instead of cloning it from a template"),
  pool: string("directory of the pools of virtual machines that are ready"),
  default_cpus: int("virtual CPUs of a VM whose container asks for none"),
  default_memory: int("memory in MiB of a VM whose container asks for none"),
  ...settingFlags,
} as const;

/** Reads the values of the global flags. */
export function globalOptions(values: FlagValues<typeof globalFlags>): GlobalOptions {
  const format = values["log-format"];
  if (format !== "text" && format !== "json" && format !== "") throw usage(`invalid log-format: ${format}`);
  for (const name of ["bios", "cbfs", "vbox"] as const) {
    if (values[name]) {
      throw new RunvError("UNSUPPORTED", `--${name}: the drivers of runv boot a kernel without it`, {
        hint: "--kernel and --initrd are all that a machine is made of",
      });
    }
  }
  for (const name of ["default_cpus", "default_memory"] as const) {
    if ((values[name] ?? 1) < 1) throw usage(`--${name} must be above 0`);
  }
  return {
    root: resolve(values.root),
    log: values.log || undefined,
    logFormat: format || "text",
    debug: values.debug,
    systemdCgroup: values["systemd-cgroup"],
    rootless: values.rootless,
    kernel: values.kernel,
    initrd: values.initrd,
    driver: values.driver,
    driverOptions: Object.fromEntries(
      driverSettings.flatMap(({ key, flag }) => {
        const value = flag === undefined ? undefined : (values as Readonly<Record<string, unknown>>)[flag];
        return typeof value === "string" && value !== "" ? [[key, value]] : [];
      }),
    ),
    template: values.template || undefined,
    noTemplate: values["no-template"],
    pool: values.pool || undefined,
    defaultCpus: values.default_cpus,
    defaultMemory: values.default_memory,
  };
}
