/** One unary call of gRPC over HTTP/2 (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { decode, encode, type Fields, type Message } from "./protobuf";

/**
 * Calls a method of CRI's RuntimeService.
 * @param socket the path of the server's socket
 * @returns what it answers
 * @throws Error with the server's message
 */
export async function call(socket: string, method: string, request: Message): Promise<Fields> {
  const session = connectHttp2("http://localhost", { createConnection: () => connect(socket) });
  const { promise, resolve, reject } = Promise.withResolvers<Fields>();
  session.on("error", reject);
  const stream = session.request({
    ":method": "POST",
    ":path": `/runtime.v1.RuntimeService/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const chunks: Buffer[] = [];
  const check = (headers: IncomingHttpHeaders) => {
    const { "grpc-status": status, "grpc-message": message = "" } = headers;
    if (status !== undefined && status !== "0") reject(new Error(decodeURIComponent(String(message))));
  };
  stream.on("response", check);
  stream.on("trailers", check);
  stream.on("error", reject);
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  // Before the message: a byte that says that it is not compressed, and its length.
  stream.on("end", () => resolve(decode(Buffer.concat(chunks).subarray(5))));
  const message = encode(request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  try {
    return await promise;
  } finally {
    session.close();
  }
}
