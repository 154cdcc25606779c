/** `runv task-service`, which `containerd-shim start` leaves behind. */
import { command } from "./command";

export const taskService = command({
  name: "task-service",
  summary: "serve the tasks of a machine to containerd",
  usage: "",
  hidden: true,
  flags: {},
  args: [0, 0],
  run: async () => (await import("../task/shim-service")).runShimService(),
});
