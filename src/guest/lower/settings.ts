import type { Architecture } from "../../linux/syscalls";
import type { Config } from "../../oci/config";
import type { MemoryPolicy } from "../../oci/memory-policy";
import { hasCpuset, personalityOf } from "./scheduling";
import { compileSeccomp, type SeccompFilter } from "./seccomp/compile";

/** What config.json says of every process of a container. It is kept with the container's state, for `exec`. */
export interface SharedSettings {
  seccomp?: SeccompFilter | undefined;
  /** The personality, where it is not the machine's own. */
  personality?: number | undefined;
  memoryPolicy?: MemoryPolicy | undefined;
  /** That of its programs, where it is not this machine's. */
  architecture?: Architecture | undefined;
  /** Its cgroup has a list of processors. */
  cpuset?: boolean;
}

/** @param architecture that of its programs; this machine's if undefined @throws RunvError CONFIG_UNSUPPORTED */
export function sharedSettings({ linux }: Config, architecture?: Architecture): SharedSettings {
  const { seccomp, memoryPolicy } = linux;
  return {
    architecture,
    seccomp: seccomp && compileSeccomp(seccomp, architecture),
    personality: personalityOf(linux),
    memoryPolicy,
    ...(hasCpuset(linux) && { cpuset: true }),
  };
}
