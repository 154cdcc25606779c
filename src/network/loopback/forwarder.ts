/**
 * The loopback address of a container's network namespace on the host: who connects there, as containerd does for `kubectl port-forward`, finds what
 * listens at the guest's. Connections go over the agent's channel, as those to resolvers do in the other direction.
 */
import { messageOf } from "../../base/error";
import { log } from "../../base/log";
import type { GuestProcess } from "../../guest/process";
import { SIGKILL } from "../../linux/signals";
import { Carried } from "../carried";
import type { GuestNamespace } from "../guest-namespace";
import type { HostNamespace } from "../host-namespace";
import { connectToLoopback } from "./guest-program";
import { steerLoopback } from "./steer";

/** More connections at once are refused: each takes two processes of the guest's. */
const mostConnections = 256;

export class LoopbackForwarder {
  readonly #guest: GuestNamespace;
  readonly #processes = new Set<GuestProcess>();
  readonly #stop: () => void;

  private constructor(host: HostNamespace, guest: GuestNamespace) {
    this.#guest = guest;
    this.#stop = host.enter(() => this.#listen());
  }

  /** Forwards from now on; undefined where the host's kernel, or whose process this is, does not allow it. */
  static begin(host: HostNamespace, guest: GuestNamespace): LoopbackForwarder | undefined {
    try {
      return new LoopbackForwarder(host, guest);
    } catch (error) {
      log.debug(`forward connections to the loopback address of the network namespace: ${messageOf(error)}`);
      return undefined;
    }
  }

  close(): void {
    this.#stop();
    for (const process of this.#processes) process.signal(SIGKILL);
  }

  #listen(): () => void {
    const listener = Bun.listen<Carried>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: {
        open: (socket) => void this.#forward(socket),
        data: ({ data }, bytes) => data.handlers.data(undefined, bytes),
        drain: ({ data }) => data.handlers.drain(),
        end: ({ data }) => data.handlers.end(),
        close: ({ data }, error) => data?.handlers.close(undefined, error),
        error: ({ data }) => data?.handlers.error(),
      },
    });
    try {
      const stopSteering = steerLoopback(descriptorOf(listener));
      return () => {
        stopSteering();
        listener.stop(true);
      };
    } catch (error) {
      listener.stop(true);
      throw error;
    }
  }

  async #forward(socket: Bun.Socket<Carried>): Promise<void> {
    const carried = new Carried();
    socket.data = carried;
    socket.pause();
    if (this.#processes.size >= mostConnections) {
      socket.terminate();
      return;
    }
    const { guest, handle } = this.#guest;
    let process: GuestProcess | undefined;
    try {
      process = guest.run(connectToLoopback(socket.localPort, handle), carried.listener);
      carried.process = process;
      this.#processes.add(process);
      // It stops once it is connected. If nobody listens there it fails, and the connection is reset.
      await process.next();
      process.go();
      carried.carry(socket);
      await process.exited;
    } catch (error) {
      log.debug(messageOf(error));
      socket.terminate();
    } finally {
      if (process !== undefined) this.#processes.delete(process);
    }
  }
}

/** Which a socket's type lacks. */
function descriptorOf(socket: object): number {
  if ("fd" in socket && typeof socket.fd === "number") return socket.fd;
  throw new Error("a socket without a descriptor");
}
