/** The runtime's options, which containerd hands over as it finds them in its configuration. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { GlobalOptions } from "../base/settings";
import { assertEmptyNamespaces, noConnections, refuse } from "../container/image/refused";
import { codec, type Received } from "./messages";
import { invalid } from "./refused";

/** What options change. */
export interface RuntimeOptions {
  systemdCgroup: boolean;
  /** A configuration file of runv's, in the place of /etc/runv/config.toml. */
  configFile: string | undefined;
}

/**
 * Reads them: those of runc, of which the cgroups' driver counts, or those that any runtime has.
 * @param directory where a configuration goes that is no file yet
 * @throws CallRefused what is of another kind
 */
export function readOptions(options: Received<"Any"> | null, directory: string): RuntimeOptions {
  const none = { systemdCgroup: false, configFile: undefined };
  if (options === null || options.type_url === "") return none;
  const kind = options.type_url.slice(options.type_url.lastIndexOf("/") + 1);
  if (kind === "containerd.runc.v1.Options") {
    return { ...none, systemdCgroup: codec("RuncOptions").decode(options.value).systemd_cgroup };
  }
  if (/^runtimeoptions\.v1\.Options$/.test(kind)) {
    const { config_path, config_body } = codec("RuntimeOptions").decode(options.value);
    return { ...none, configFile: config_path || written(config_body, directory) };
  }
  throw invalid(`options of the kind ${kind}: runv takes ConfigPath or ConfigBody of runtimeoptions.v1`);
}

/**
 * Reads what is wanted of a checkpoint: runc's options, or none. Terminals, locks and sockets of the container's are saved with its machine.
 * @throws CallRefused what is of another kind; RunvError UNSUPPORTED
 */
export function readCheckpointOptions(options: Received<"Any"> | null): { exit: boolean } {
  if (options === null || options.type_url === "") return { exit: false };
  const kind = options.type_url.slice(options.type_url.lastIndexOf("/") + 1);
  if (kind !== "containerd.runc.v1.CheckpointOptions") throw invalid(`options of the kind ${kind}`);
  const { exit, open_tcp, empty_namespaces } = codec("CheckpointOptions").decode(options.value);
  if (open_tcp) throw refuse("open_tcp", noConnections);
  assertEmptyNamespaces("empty_namespaces", empty_namespaces);
  return { exit };
}

/** What Docker and Kubernetes write where systemd makes the cgroups: `slice:prefix:name`. */
export function withCgroups(global: GlobalOptions, { systemdCgroup }: RuntimeOptions, path = ""): GlobalOptions {
  return { ...global, systemdCgroup: global.systemdCgroup || systemdCgroup || /^[^/:]+:[^/:]*:[^/:]+$/.test(path) };
}

function written(body: Uint8Array, directory: string): string | undefined {
  if (body.length === 0) return undefined;
  const file = `${directory}/config.toml`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(file, body, { mode: 0o600 });
  return file;
}
