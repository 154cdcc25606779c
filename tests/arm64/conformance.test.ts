/** Guests of arm64 on a machine that is none: the drivers' suite, and what is theirs alone. */
import { labTest } from "../lab/lab";

labTest({
  kind: "arm64",
  driver: "tcg",
  guests: "arm64",
  also: ["../arm64/guests.ts"],
  isHere: () => process.arch === "x64",
  missing: () => (process.arch === "x64" ? undefined : "this machine is of arm64 itself"),
});
