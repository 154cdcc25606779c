import { messageOf, RunvError } from "../base/error";
import type { Channel, ChannelHandlers } from "./driver";

/** Takes up a connected socket, or another descriptor that is one stream both ways, which it closes in the end. @throws RunvError VM_AGENT_CHANNEL */
export async function openChannel(fd: number, handlers: ChannelHandlers): Promise<Channel> {
  let open = true;
  const end = () => {
    if (open) handlers.close();
    open = false;
  };
  try {
    const socket = await Bun.connect({
      fd,
      socket: {
        data: (_, bytes: Uint8Array) => handlers.data(bytes),
        drain: () => handlers.drain(),
        close: end,
        error: end,
      },
    });
    return {
      write: (bytes) => Math.max(0, socket.write(bytes)),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: () => socket.terminate(),
    };
  } catch (cause) {
    throw new RunvError("VM_AGENT_CHANNEL", `open the agent's channel: ${messageOf(cause)}`, { cause });
  }
}
