import { afterAll, afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Socket } from "bun";
import { Qmp, type QmpEvent } from "./qmp";

const greeting =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2"}, "capabilities": ["oob"]}}\r\n';

type Answer = (request: { execute: string; id: number; arguments?: unknown }, socket: Socket) => string | undefined;

const directory = mkdtempSync(join(tmpdir(), "runv-qmp-"));
let servers: { stop(force: boolean): void }[] = [];
let count = 0;

afterEach(() => {
  for (const server of servers) server.stop(true);
  servers = [];
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A server that greets and answers as QEMU does. @returns its path */
function serve(answer: Answer, hello = greeting): { unix: string } {
  const unix = join(directory, String(count++));
  const socket = {
    open: (socket: Socket) => void socket.write(hello),
    data(socket: Socket, bytes: Uint8Array) {
      for (const line of Buffer.from(bytes).toString().trim().split("\n")) {
        const request = JSON.parse(line);
        const text =
          request.execute === "qmp_capabilities" ? `{"return": {}, "id": ${request.id}}` : answer(request, socket);
        if (text !== undefined) socket.write(`${text}\r\n`);
      }
    },
  };
  servers.push(Bun.listen({ unix, socket }));
  return { unix };
}

test("a command's answer, whatever comes in between and however it is cut", async () => {
  const events: QmpEvent[] = [];
  const qmp = await Qmp.connect(
    serve(({ id }, socket) => {
      socket.write('{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}\r\n{"retu');
      setTimeout(() => socket.write(`rn": {"status": "paused"}, "id": ${id}}\r\n`), 5);
      return undefined;
    }),
    { onEvent: (event) => events.push(event) },
  );
  expect(await qmp.execute("query-status")).toEqual({ status: "paused" });
  expect(events).toEqual([{ event: "STOP", data: {} }]);
  qmp.close();
});

test("answers find their commands when they come in another order", async () => {
  const ids: number[] = [];
  const qmp = await Qmp.connect(
    serve(({ id }, socket) => {
      if (ids.push(id) === 2) {
        for (const each of ids.reverse()) socket.write(`{"return": ${each}, "id": ${each}}\r\n`);
      }
      return undefined;
    }),
  );
  const [first, second] = await Promise.all([qmp.execute<number>("a"), qmp.execute<number>("b")]);
  expect(second).toBe(first + 1);
  qmp.close();
});

test("what QEMU refuses", async () => {
  const qmp = await Qmp.connect(
    serve(
      ({ id }) =>
        `{"id": ${id}, "error": {"class": "CommandNotFound", "desc": "The command x has\\u001b not been found"}}`,
    ),
  );
  expect(qmp.execute("x")).rejects.toMatchObject({
    code: "VM_QMP_REFUSED",
    qmpClass: "CommandNotFound",
    message: "qemu: x: The command x has\\x1b not been found",
  });
  await Bun.sleep(20);
  qmp.close();
});

test("no answer in time; an answer that comes late is dropped", async () => {
  const qmp = await Qmp.connect(
    serve(({ id, execute }, socket) => {
      if (execute !== "slow") return `{"return": 1, "id": ${id}}`;
      setTimeout(() => socket.write(`{"return": 0, "id": ${id}}\r\n`), 40);
      return undefined;
    }),
  );
  await expect(qmp.execute("slow", {}, 20)).rejects.toMatchObject({ code: "VM_QMP_TIMEOUT" });
  await Bun.sleep(40);
  expect(await qmp.execute<number>("quick")).toBe(1);
  qmp.close();
});

test("no greeting", async () => {
  const silent = serve(() => undefined, "");
  await expect(Qmp.connect(silent, { timeoutMs: 20 })).rejects.toMatchObject({ code: "VM_QMP_TIMEOUT" });
});

test("nobody there", async () => {
  await expect(Qmp.connect({ unix: join(directory, "none") })).rejects.toMatchObject({ code: "VM_QMP_CLOSED" });
});

test("QEMU goes while a command is under way", async () => {
  const qmp = await Qmp.connect(serve((_, socket) => void socket.end()));
  await expect(qmp.execute("quit")).rejects.toMatchObject({ code: "VM_QMP_CLOSED" });
  await expect(qmp.execute("query-status")).rejects.toMatchObject({ code: "VM_QMP_CLOSED" });
  await qmp.closed;
});

test.each(["no JSON\r\n", "\u001b[31m{\r\n"])("%j is refused", async (text) => {
  await expect(Qmp.connect(serve(() => undefined, text))).rejects.toMatchObject({ code: "VM_QMP_PROTOCOL" });
});
