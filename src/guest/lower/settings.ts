import type { Config } from "../../oci/config";
import { personalityOf } from "./scheduling";
import { compileSeccomp, type SeccompFilter } from "./seccomp/compile";

/** What config.json says of every process of a container. It is kept with the container's state, for `exec`. */
export interface SharedSettings {
  seccomp?: SeccompFilter | undefined;
  /** The personality, where it is not the machine's own. */
  personality?: number | undefined;
}

/** @throws RunvError CONFIG_UNSUPPORTED */
export function sharedSettings({ linux }: Config): SharedSettings {
  const { seccomp } = linux;
  return { seccomp: seccomp && compileSeccomp(seccomp), personality: personalityOf(linux) };
}
