import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { controlSocket, readState, setState } from "./control";

const home = mkdtempSync(join(tmpdir(), "runv-lkvm-"));
afterAll(() => rmSync(home, { recursive: true }));

/** What answers as lkvm does: after a change of state nothing, to a question the state. */
function serve(name: string, obeys: boolean): string {
  const path = controlSocket(home, name);
  mkdirSync(dirname(path), { recursive: true });
  let state = 0;
  const listener = Bun.listen({
    unix: path,
    socket: {
      data(socket, bytes) {
        const words = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
        for (let at = 0; at < words.length; at += 2) {
          expect(words[at + 1]).toBe(0);
          if (words[at] === 8) socket.write(new Uint8Array(Uint32Array.of(state).buffer));
          else if (obeys) state = words[at] === 4 ? 1 : 0;
        }
      },
    },
  });
  afterAll(() => listener.stop(true));
  return path;
}

test("a machine is paused and resumed, and waited for", async () => {
  const path = serve("obeys", true);
  expect(await readState(path)).toBe("running");
  await setState(path, "paused");
  expect(await readState(path)).toBe("paused");
  await setState(path, "running");
  expect(await readState(path)).toBe("running");
});

test("one that does not do it", async () => {
  await expect(setState(serve("stubborn", false), "paused")).rejects.toMatchObject({
    code: "VM_LKVM_CONTROL",
    message: "lkvm's control socket: it is running and should be paused",
  });
});

test("one that is gone", async () => {
  await expect(readState(controlSocket(home, "gone"))).rejects.toMatchObject({ code: "VM_LKVM_CONTROL" });
});
