import { expect, test } from "bun:test";
import { Guest } from "../../guest/guest";
import { encodeU32, FrameType } from "../../wire/frame";
import { HostNamespace } from "../host-namespace";
import { Connections } from "./connections";

/** A guest whose first connection has come, to a server on this machine; and what the guest is told. */
async function connected(received: (bytes: Uint8Array) => void) {
  const come = Promise.withResolvers<Bun.Socket>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => come.resolve(socket), data: (_, bytes) => received(bytes) },
  });
  const told: { type: number; process: number }[] = [];
  const guest = new Guest((type, process) => told.push({ type, process }));
  const place = { ip: "127.0.0.1", port: server.port, namespace: undefined };
  const connections = new Connections(guest, place, new HostNamespace());
  connections.serve().catch(() => {});
  const say = (type: number, payload: Uint8Array = new Uint8Array(), stream = 0) =>
    guest.take({ type, process: 1, payload, stream });
  say(FrameType.started, encodeU32(7));
  say(FrameType.stopped);
  const socket = await come.promise;
  const signals = () => told.filter(({ type, process }) => type === FrameType.signal && process === 1).length;
  const close = () => {
    connections.close();
    server.stop(true);
  };
  return { say, signals, socket, close };
}

test("what the guest sends reaches the server", async () => {
  const { promise: question, resolve } = Promise.withResolvers<string>();
  const { say, signals, close } = await connected((bytes) => resolve(Buffer.from(bytes).toString()));
  say(FrameType.data, Buffer.from("who?"), 1);
  expect(await question).toBe("who?");
  expect(signals()).toBe(0);
  close();
});

test("a guest that sends more than it has credit for is heard no more, and fills no memory", async () => {
  const { say, signals, socket, close } = await connected(() => {});
  socket.pause();
  const before = process.memoryUsage().arrayBuffers;
  const frame = new Uint8Array(64 << 10);
  for (let i = 0; i < 2000; i++) say(FrameType.data, frame, 1);
  Bun.gc(true);
  expect(signals()).toBe(1);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 << 20);
  close();
});
