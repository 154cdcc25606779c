import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { patience } from "../../tests/support/patience";
import { TtrpcClient } from "./client";
import { encodeFrame, FrameDecoder, FrameType, mostPayload } from "./frame";
import { requests, responses } from "./messages";
import { CallRefused, Status } from "./refusal";
import { listen, type Server } from "./server";

const directory = mkdtempSync("/tmp/runv-ttrpc-");
const path = `${directory}/s`;
/** How long answers may take, in ms: none of these is late. */
const timeoutMs = 5_000 * patience;
const held = Promise.withResolvers<Uint8Array>();
let server: Server;

beforeAll(() => {
  server = listen(path, (service, method, payload) => {
    if (service !== "test") return undefined;
    if (method === "echo") return Promise.resolve(payload);
    if (method === "wait") return held.promise;
    if (method === "refuse") return Promise.reject(new CallRefused(Status.notFound, "not there"));
    return Promise.reject(new Error("broken"));
  });
});

afterAll(() => {
  server.stop();
  rmSync(directory, { recursive: true });
});

async function withClient(body: (client: TtrpcClient) => Promise<void>): Promise<void> {
  const client = await TtrpcClient.connect(path);
  try {
    await body(client);
  } finally {
    client.close();
  }
}

test("calls are answered, also when others wait", () =>
  withClient(async (client) => {
    const call = (method: string, text = "") => client.call("test", method, Buffer.from(text), timeoutMs);
    const waiting = call("wait");
    const large = "x".repeat(1 << 20);
    expect(Buffer.from(await call("echo", large)).toString()).toBe(large);
    await expect(call("refuse")).rejects.toMatchObject({ code: Status.notFound, message: "not there" });
    await expect(call("break")).rejects.toMatchObject({ code: Status.unknown, message: "broken" });
    await expect(client.call("other", "echo", new Uint8Array(), timeoutMs)).rejects.toMatchObject({
      code: Status.unimplemented,
    });
    held.resolve(Buffer.from("done"));
    expect(Buffer.from(await waiting).toString()).toBe("done");
  }));

test("who waits is told when the server goes", async () => {
  const other = `${directory}/other`;
  const going = listen(other, () => new Promise(() => {}));
  const client = await TtrpcClient.connect(other);
  const waiting = client.call("test", "wait", new Uint8Array(), timeoutMs);
  going.stop();
  await expect(waiting).rejects.toMatchObject({ code: Status.unavailable });
  expect(client.isOpen).toBe(false);
});

/** Sends bytes. @returns the frames that come back, until so many came or the connection ended */
function converse(bytes: Uint8Array, count: number): Promise<unknown[]> {
  return new Promise((resolve) => {
    const seen: unknown[] = [];
    const done = () => {
      socket.destroy();
      resolve(seen);
    };
    const decoder = new FrameDecoder({
      frame: ({ stream, payload }) => {
        seen.push([stream, responses.decode(payload).status?.code ?? 0]);
        if (seen.length === count) done();
      },
      tooLong: () => {},
    });
    const socket = connect(path, () => socket.write(bytes));
    socket.on("data", (data: Buffer) => decoder.push(data));
    socket.on("close", done);
    socket.on("error", done);
  });
}

const request = (stream: number, method = "echo") =>
  encodeFrame({ stream, type: FrameType.request, payload: requests.encode({ service: "test", method }) });

describe("what no client sends", () => {
  const fine = request(101);
  const cases: [string, Uint8Array, unknown[]][] = [
    ["an even stream", request(2), [[2, Status.invalidArgument]]],
    [
      "what is no request",
      encodeFrame({ stream: 1, type: FrameType.request, payload: Buffer.from("\xff\xff\xff", "latin1") }),
      [[1, Status.invalidArgument]],
    ],
    [
      "a stream of data",
      encodeFrame({ stream: 1, type: FrameType.data, payload: new Uint8Array(3) }),
      [[1, Status.unimplemented]],
    ],
    [
      "a long message",
      encodeFrame({ stream: 1, type: FrameType.request, payload: new Uint8Array(mostPayload + 1) }),
      [[1, Status.resourceExhausted]],
    ],
  ];
  test.each(cases)("%s is refused, and the next call answered", async (_, bytes, expected) => {
    expect(await converse(Buffer.concat([bytes, fine]), expected.length + 1)).toEqual([...expected, [101, 0]]);
  });

  test.each([0, 2, 4, 255])("a frame of type %i ends the connection", async (type) => {
    const bytes = Buffer.concat([encodeFrame({ stream: 1, type, payload: new Uint8Array(3) }), fine]);
    expect(await converse(bytes, 1)).toEqual([]);
  });

  test("more calls at once than are taken", async () => {
    const pending = `${directory}/pending`;
    const going = listen(pending, () => new Promise(() => {}));
    const client = await TtrpcClient.connect(pending);
    const call = () => client.call("test", "wait", new Uint8Array(), 60_000);
    for (let count = 0; count < 4096; count++) call().catch(() => {});
    await expect(call()).rejects.toMatchObject({ code: Status.resourceExhausted });
    client.close();
    going.stop();
  });
});
