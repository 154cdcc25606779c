import type { Config } from "../../oci/config";
import { compileSeccomp, type SeccompFilter } from "./seccomp/compile";

/** What config.json says of every process of a container. It is kept with the container's state, for `exec`. */
export interface SharedSettings {
  seccomp?: SeccompFilter;
}

/** @throws RunvError CONFIG_UNSUPPORTED */
export function sharedSettings({ linux }: Config): SharedSettings {
  const { seccomp } = linux;
  return { ...(seccomp && { seccomp: compileSeccomp(seccomp) }) };
}
