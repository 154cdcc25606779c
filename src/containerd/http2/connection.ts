/**
 * A client's connection, as the HTTP/2 server is to see it. Go's gRPC of 2016 sends the socket's path as `:authority`, in which RFC 9113 has no
 * `/`, and HTTP/2 servers of today refuse each call for it. On a unix socket nobody needs to know which host was meant.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { messageOf } from "../../base/error";
import { log } from "../../base/log";
import type { Field } from "./hpack";
import { HeaderRewriter } from "./rewrite-headers";

const authority = Buffer.from("localhost");

/** What the server reads of it is as the client wrote it, but for the host. */
export function withoutAuthority(socket: Socket): Duplex {
  const rewriter = new HeaderRewriter((fields) => fields.map(withHost));
  const seen = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk: Buffer) => {
    try {
      const bytes = rewriter.take(chunk);
      if (bytes.length > 0 && !seen.push(bytes)) socket.pause();
    } catch (error) {
      log.debug(`a connection ends: ${messageOf(error)}`);
      seen.destroy();
    }
  });
  socket.on("end", () => seen.push(null));
  socket.on("error", (error) => log.debug(messageOf(error)));
  socket.on("close", () => seen.destroy());
  return seen;
}

function withHost([name, value]: Field): Field {
  return [name, name.equals(authorityName) ? authority : value];
}

const authorityName = Buffer.from(":authority");
