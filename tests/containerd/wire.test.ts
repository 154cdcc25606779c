/** What a client sees that has no gRPC of today: the bytes of an answer, read by HTTP/2 alone. */
import { expect } from "bun:test";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { codec } from "../../src/containerd/api/codec";
import { runvTest } from "../support/rig";
import { TestDaemon } from "./support/daemon";

runvTest(
  "a refusal's words are in the trailer as they are: Docker 1.12 looks for them, and does not decode",
  async (rig) => {
    await TestDaemon.with(rig, async (daemon) => {
      const session = connectHttp2("http://localhost", { createConnection: () => connect(daemon.socket) });
      const request = codec("StateRequest").encode({ id: "nope" });
      const message = Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]);
      const trailer = await new Promise<Record<string, unknown>>((resolve, reject) => {
        const headers = {
          ":method": "POST",
          ":path": "/types.API/State",
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
      expect(trailer).toMatchObject({ "grpc-status": "2", "grpc-message": "containerd: container not found" });
      session.close();
    });
  },
);
