/** Resource limits: config.md, "POSIX process". */
import { array, checked, type Infer, object } from "./reader";
import { exactUint64, oneOf } from "./scalars";

/** The resources of setrlimit(2), each at the place of its number (asm-generic/resource.h). */
const rlimitNames = [
  "RLIMIT_CPU",
  "RLIMIT_FSIZE",
  "RLIMIT_DATA",
  "RLIMIT_STACK",
  "RLIMIT_CORE",
  "RLIMIT_RSS",
  "RLIMIT_NPROC",
  "RLIMIT_NOFILE",
  "RLIMIT_MEMLOCK",
  "RLIMIT_AS",
  "RLIMIT_LOCKS",
  "RLIMIT_SIGPENDING",
  "RLIMIT_MSGQUEUE",
  "RLIMIT_NICE",
  "RLIMIT_RTPRIO",
  "RLIMIT_RTTIME",
] as const;

export type RlimitName = (typeof rlimitNames)[number];

/** The number of a resource: `rlimitNumber("RLIMIT_NOFILE")` is 7. */
export function rlimitNumber(name: RlimitName): number {
  return rlimitNames.indexOf(name);
}

const rlimit = object({
  type: oneOf("resource limit", rlimitNames),
  /** `BigInt(hard)`; 2^64-1 is "unlimited". */
  hard: exactUint64,
  soft: exactUint64,
});

export interface Rlimit extends Infer<typeof rlimit> {}

/** The specification refuses a resource that is named twice. */
export const rlimits = checked(
  array(
    checked(rlimit, ({ soft, hard }) =>
      BigInt(soft) > BigInt(hard) ? `soft limit ${soft} is above the hard limit ${hard}` : undefined,
    ),
  ),
  (all) => {
    const twice = all.find(({ type }, index) => all.findIndex((other) => other.type === type) < index);
    return twice && `${twice.type} is set twice`;
  },
);
