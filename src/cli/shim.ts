/** `runv shim`, which runv starts for each process of a container. */
import { command } from "./command";

export const shim = command({
  name: "shim",
  summary: "stand for a process of a container",
  usage: "<container-id>",
  hidden: true,
  flags: {},
  args: [1, 1],
  run: async () => (await import("../container/shim/shim")).runShim(),
});
