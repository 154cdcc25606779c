/** What a client sees that has no gRPC of today: calls and answers in HTTP/2 alone. */
import { expect } from "bun:test";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { codec } from "../../src/containerd/api/codec";
import { runvTest } from "../support/rig";
import { TestDaemon } from "./support/daemon";

/** Asks for a container that there is not. @returns the trailer */
async function ask(session: ClientHttp2Session, authority?: string): Promise<Record<string, unknown>> {
  const request = codec("StateRequest").encode({ id: "nope" });
  const message = Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]);
  return await new Promise((resolve, reject) => {
    const headers = {
      ":method": "POST",
      ":path": "/types.API/State",
      ...(authority !== undefined && { ":authority": authority }),
      "content-type": "application/grpc",
      te: "trailers",
    };
    const stream = session.request(headers);
    const see = (seen: Record<string, unknown>) => {
      if (seen["grpc-status"] !== undefined) resolve(seen);
    };
    stream.on("response", see);
    stream.on("trailers", see);
    stream.on("error", reject);
    stream.resume();
    stream.end(message);
  });
}

const refusal = { "grpc-status": "2", "grpc-message": "containerd: container not found" };

runvTest(
  "a refusal's words are in the trailer as they are: Docker 1.12 looks for them, and does not decode",
  async (rig) => {
    await TestDaemon.with(rig, async (daemon) => {
      const session = connectHttp2("http://localhost", { createConnection: () => connect(daemon.socket) });
      expect(await ask(session)).toMatchObject(refusal);
      session.close();
    });
  },
);

runvTest("whatever a client takes for the host, it is answered: Docker says the socket's path", async (rig) => {
  await TestDaemon.with(rig, async (daemon) => {
    const session = connectHttp2("http://localhost", { createConnection: () => connect(daemon.socket) });
    session.on("error", () => {});
    const long = `/${"long/".repeat(1000)}`;
    const authorities = [
      daemon.socket,
      `unix://${daemon.socket}`,
      "./c.sock",
      "@abstract",
      "a b?c#d",
      "[::1",
      "",
      long,
    ];
    // The second time each is in the connection's table.
    for (const authority of [...authorities, ...authorities]) {
      expect(await ask(session, authority).catch((error) => [authority, error])).toMatchObject(refusal);
    }
    session.close();
  });
});
