/** `runv pool-keeper`, which `runv pool start` starts. */
import { command } from "./command";

export const poolKeeper = command({
  name: "pool-keeper",
  summary: "keep virtual machines ready",
  usage: "<pool directory>",
  hidden: true,
  flags: {},
  args: [1, 1],
  run: async () => (await import("../sandbox/pool/pool-command")).runKeeper(),
});
