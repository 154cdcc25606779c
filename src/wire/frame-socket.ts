import type { Socket } from "bun";
import { type FrameHandlers, FrameStream } from "./frame-stream";

declare module "bun" {
  // Bun.connect takes a descriptor too, but its types leave that out.
  function connect<Data = undefined>(options: FdSocketOptions<Data>): Promise<Socket<Data>>;
}

/** What to connect: the path of a unix socket, or a connected descriptor, which the stream owns from then on. */
export type SocketSource = { unix: string } | { fd: number };

/**
 * Connects a stream of frames.
 * @param maxPayload most bytes that the peer may put into a frame
 */
export async function connectFrames(
  source: SocketSource,
  maxPayload: number,
  handlers: FrameHandlers,
): Promise<FrameStream> {
  const stream = new FrameStream(maxPayload, handlers);
  const socket = {
    data: (_: Socket, chunk: Uint8Array) => stream.take(chunk),
    drain: () => stream.drain(),
    close: () => stream.end(),
    error: (_: Socket, error: Error) => stream.end(error),
  };
  const connected =
    "unix" in source ? await Bun.connect({ unix: source.unix, socket }) : await Bun.connect({ fd: source.fd, socket });
  stream.attach({ write: (bytes) => connected.write(bytes), close: () => connected.end() });
  return stream;
}

/**
 * Listens on a unix socket.
 * @param accept is given each new stream, and says how to handle it
 * @returns a function that stops listening
 */
export function listenFrames(
  unix: string,
  maxPayload: number,
  accept: (stream: FrameStream) => FrameHandlers,
): () => void {
  const listener = Bun.listen<FrameStream>({
    unix,
    socket: {
      open(socket) {
        const stream: FrameStream = new FrameStream(maxPayload, {
          frame: (frame) => handlers.frame(frame),
          close: (error) => handlers.close(error),
        });
        socket.data = stream;
        stream.attach({ write: (bytes) => socket.write(bytes), close: () => socket.end() });
        const handlers = accept(stream);
      },
      data: (socket, chunk) => socket.data.take(chunk),
      drain: (socket) => socket.data.drain(),
      close: (socket) => socket.data.end(),
      error: (socket, error) => socket.data.end(error),
    },
  });
  return () => listener.stop();
}
