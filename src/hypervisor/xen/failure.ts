/** What Xen's tools say when something fails, as errors with what to do. */
import { RunvError } from "../../base/error";
import { escapeControls } from "../../base/escape";
import { daemonsHint, installHint } from "./host";

/** How many lines of a tool's words are told: the last are the cause, or near to it. */
const told = 6;

/** The first that fits. */
const kinds: readonly { pattern: RegExp; hint: string }[] = [
  {
    pattern: /free memory|not enough memory|cannot allocate memory|out of memory/i,
    hint: "xl info tells the memory that is left for domains (free_memory): end some, or xl mem-set 0 SIZE takes from dom0",
  },
  { pattern: /xenstore|xs_open|xenbus/i, hint: `xenstored must run: ${daemonsHint}` },
  { pattern: /device model|qemu/i, hint: `the device model must be installed: ${installHint}` },
  { pattern: /permission denied|operation not permitted/i, hint: "run as root, in dom0" },
];

/** Why a tool did not do what it was told. @param said what it wrote to standard error */
export function refused(doing: string, said: string): RunvError {
  const why = wordsOf(said);
  const hint = kinds.find(({ pattern }) => pattern.test(why))?.hint;
  return new RunvError("VM_XEN_REFUSED", `${doing}: ${why}`, hint === undefined ? {} : { hint });
}

/** Its words, without where in libxl's source they come from. */
function wordsOf(said: string): string {
  const lines = said
    .split("\n")
    .map((line) => line.replace(/^libxl: error: \w+\.c:\d+:\w+: /, "").trim())
    .filter((line) => line !== "");
  return escapeControls(lines.slice(-told).join("; "));
}
