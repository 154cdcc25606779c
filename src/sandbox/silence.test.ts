import { expect, test } from "bun:test";
import type { RunvError } from "../base/error";
import { Guest } from "../guest/guest";
import { Assembler } from "../program/assembler";
import { FrameType } from "../wire/frame";
import { whileItAnswers } from "./silence";

/** A guest to which all programs are done at once, as long as it answers; and how often it was asked. */
class Client {
  asked = 0;
  answers = true;
  readonly guest = new Guest((type, process) => {
    if (type !== FrameType.run) return;
    this.asked++;
    const answer = (type: number) => this.guest.take({ type, process, stream: 0, payload: new Uint8Array() });
    if (this.answers) queueMicrotask(() => [FrameType.done, FrameType.closed].forEach(answer));
  });

  giveUp(error: RunvError): void {
    this.guest.lost(error);
  }
}

const program = () => new Assembler().assemble();

test("what takes its time is waited for while the guest answers", async () => {
  const client = new Client();
  const { promise, resolve } = Promise.withResolvers<string>();
  const result = whileItAnswers(client, () => promise, { quietMs: 1, answerMs: 60_000 });
  while (client.asked < 3) await Bun.sleep(1);
  resolve("done");
  expect(await result).toBe("done");
});

test("what is asked of a guest that does not answer fails with a word", async () => {
  const client = new Client();
  client.answers = false;
  const result = whileItAnswers(client, () => client.guest.call(program()), { quietMs: 1, answerMs: 10 });
  await expect(result).rejects.toMatchObject({ code: "GUEST_SILENT" });
});

test("a failure is passed on, and a guest that answers quickly is asked for nothing else", async () => {
  const client = new Client();
  await expect(whileItAnswers(client, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await whileItAnswers(client, () => client.guest.call(program()));
  expect(client.asked).toBe(1);
});
