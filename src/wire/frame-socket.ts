import type { Socket } from "bun";
import { type FrameHandlers, FrameStream } from "./frame-stream";

declare module "bun" {
  // Bun.connect takes a descriptor too, but its types leave that out.
  function connect<Data = undefined>(options: FdSocketOptions<Data>): Promise<Socket<Data>>;
}

/** What to connect: the path of a unix socket, or a connected descriptor, which the stream owns from then on. */
export type SocketSource = { unix: string } | { fd: number };

/** Is given a new stream, and says how to handle what comes: nothing has come yet, and what is sent now goes out first. */
type Accept = (stream: FrameStream) => FrameHandlers;

/**
 * Connects a stream of frames.
 * @param maxPayload most bytes that the peer may put into a frame
 */
export async function connectFrames(source: SocketSource, maxPayload: number, accept: Accept): Promise<FrameStream> {
  const stream = acceptedStream(maxPayload, accept);
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
 * @returns a function that stops listening
 */
export function listenFrames(unix: string, maxPayload: number, accept: Accept): () => void {
  const listener = Bun.listen<FrameStream>({
    unix,
    socket: {
      open(socket) {
        socket.data = acceptedStream(maxPayload, accept);
        socket.data.attach({ write: (bytes) => socket.write(bytes), close: () => socket.end() });
      },
      data: (socket, chunk) => socket.data.take(chunk),
      drain: (socket) => socket.data.drain(),
      close: (socket) => socket.data.end(),
      error: (socket, error) => socket.data.end(error),
    },
  });
  return () => listener.stop();
}

function acceptedStream(maxPayload: number, accept: Accept): FrameStream {
  const stream = new FrameStream(maxPayload, {
    frame: (frame) => handlers.frame(frame),
    close: (error) => handlers.close(error),
  });
  const handlers = accept(stream);
  return stream;
}
