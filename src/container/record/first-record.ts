/** What is known of a container before anything of it is made. */
import { readFileSync } from "node:fs";
import type { Identity } from "../../linux/identity";
import { findUser } from "../../linux/passwd";
import type { Bundle } from "../../oci/bundle";
import type { CreateOptions } from "../options";
import type { BranchRecord, ContainerRecord } from "./store";

/** What there is of it by then. */
interface Begun {
  sandbox: string;
  /** The directories of its cgroup on the host. */
  cgroup: string[];
  /** The command that makes it. */
  creator: Identity;
  branch: BranchRecord | undefined;
}

/** Its record. */
export function firstRecord(
  { id, attended, rootDisk }: CreateOptions,
  { bundle, config, rootfs }: Bundle,
  { sandbox, cgroup, creator, branch }: Begun,
): ContainerRecord {
  const { uidMappings, gidMappings } = config.linux;
  return {
    ociVersion: config.ociVersion,
    id,
    bundle,
    rootfs,
    created: new Date().toISOString(),
    owner: owner(),
    annotations: config.annotations,
    phase: "creating",
    paused: false,
    creator,
    byDaemon: attended !== undefined,
    sandbox,
    cgroup,
    process: config.process,
    namespaces: config.linux.namespaces,
    settings: {},
    hooks: config.hooks,
    resources: config.linux.resources,
    ...(uidMappings !== undefined && gidMappings !== undefined && { owners: { uids: uidMappings, gids: gidMappings } }),
    ...(rootDisk !== undefined && { rootDisk }),
    ...(branch !== undefined && { branch }),
  };
}

/** The name of the user who calls; its id when it has none. */
function owner(): string {
  const uid = process.getuid?.() ?? 0;
  try {
    return findUser(readFileSync("/etc/passwd", "utf8"), uid)?.name ?? String(uid);
  } catch {
    return String(uid);
  }
}
