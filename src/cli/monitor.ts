/** `runv monitor`, which runv starts for each virtual machine. */
import { command } from "./command";

export const monitor = command({
  name: "monitor",
  summary: "own a virtual machine",
  usage: "",
  hidden: true,
  flags: {},
  args: [0, 0],
  async run() {
    const { runMonitor } = await import("../sandbox/monitor");
    await runMonitor(3);
    return 0;
  },
});
