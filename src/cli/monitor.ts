/** `runv monitor`, which runv starts for each virtual machine. */
import { command } from "./command";

export const monitor = command({
  name: "monitor",
  summary: "own a virtual machine",
  usage: "<sandbox directory>",
  hidden: true,
  flags: {},
  args: [1, 1],
  async run({ args: [directory = ""] }) {
    const { runMonitor } = await import("../sandbox/monitor");
    await runMonitor(directory, 3);
    return 0;
  },
});
