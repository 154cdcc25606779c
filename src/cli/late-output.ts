/** `runv late-output`, which a shim starts when its process has ended and others hold its output. */
import { command } from "./command";

export const lateOutput = command({
  name: "late-output",
  summary: "carry what others write that hold the output of a process that has ended",
  usage: "<container-id>",
  hidden: true,
  flags: {},
  args: [1, 1],
  run: async () => (await import("../container/shim/late-output")).carryLateOutput(),
});
