/** `runv template-process`, which runv starts for a template whose clones can be forked. */
import { command } from "./command";

export const templateProcess = command({
  name: "template-process",
  summary: "hold a machine that others are forked from",
  usage: "",
  hidden: true,
  flags: {},
  args: [0, 0],
  run: async () => (await import("../sandbox/template/run-template-process")).runTemplateProcess(),
});
