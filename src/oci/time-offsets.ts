/** linux.timeOffsets: config-linux.md, "Offset for Time Namespace". */
import { mismatch, quote } from "./mismatch";
import { defaulted, object, optional, usually } from "./reader";
import { int64, integer } from "./scalars";

const offset = object({
  secs: defaulted(int64, () => 0),
  nanosecs: defaulted(integer(0, 999_999_999), () => 0),
});

const clocks = object({ monotonic: optional(offset), boottime: optional(offset) });

/** The two clocks that a time namespace has. The keys are names of clocks, so that another is no field to be ignored. */
export const timeOffsets = usually(clocks, (value) => {
  const read = clocks(value);
  const unknown = Object.keys(value as object).find((name) => name !== "monotonic" && name !== "boottime");
  if (unknown !== undefined) mismatch(`${quote(unknown)} is no clock that a time namespace has`);
  return read;
});
