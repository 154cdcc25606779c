/** linux.timeOffsets: config-linux.md, "Offset for Time Namespace". */
import { defaulted, object, optional } from "./reader";
import { int64, integer } from "./scalars";

const offset = object({
  secs: defaulted(int64, () => 0),
  nanosecs: defaulted(integer(0, 999_999_999), () => 0),
});

/** The two clocks that a time namespace has. */
export const timeOffsets = object({ monotonic: optional(offset), boottime: optional(offset) });
