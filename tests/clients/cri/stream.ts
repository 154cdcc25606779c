/** The streams of an Exec, Attach or PortForward, over the WebSocket that Kubernetes' streaming servers offer (channel.k8s.io). */
import { writeAll } from "../../../src/base/output";

/** The first byte of each message: whose it is. */
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3 };

/**
 * Sends what there is to read, and writes what comes, until the server ends it.
 * @param url what CRI answered
 * @param port what is forwarded: then the channels are the data's and the errors', and each begins with the port
 * @returns the exit code: 0, or 1 when the server reports an error
 */
export async function stream(url: string, input: NodeJS.ReadableStream, port?: number): Promise<number> {
  const address = url.replace(/^http/, "ws") + (port === undefined ? "" : `?port=${port}`);
  const socket = new WebSocket(address, ["v4.channel.k8s.io"]);
  socket.binaryType = "arraybuffer";
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let code = 0;
  const begun = new Set<number>();
  socket.addEventListener("message", ({ data }) => {
    const bytes = Buffer.from(data as ArrayBuffer);
    const [channel, payload] = [bytes[0]!, bytes.subarray(1)];
    if (port !== undefined) {
      // The first of each channel is the port's number.
      if (begun.has(channel)) writeAll(channel === 0 ? 1 : 2, payload);
      begun.add(channel);
    } else if (channel === channels.error) {
      if (!payload.toString().includes('"Success"')) code = 1;
    } else if (payload.length > 0) writeAll(channel === channels.stderr ? 2 : 1, payload);
  });
  socket.addEventListener("close", () => resolve(code));
  socket.addEventListener("error", () => reject(new Error(`no WebSocket at ${address}`)));
  socket.addEventListener("open", async () => {
    for await (const chunk of input) {
      socket.send(Buffer.concat([Buffer.from([channels.stdin]), Buffer.from(chunk as Buffer)]));
    }
  });
  return await promise;
}
