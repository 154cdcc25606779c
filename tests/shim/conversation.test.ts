/** containerd's shim without containerd: what containerd 1.6.20 said to it once is said again, and more that it might say. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { codec, TaskStatus } from "../../src/task/messages";
import { metricsCodec } from "../../src/task/metrics";
import { encodeFrame, type Frame, FrameDecoder, FrameType } from "../../src/ttrpc/frame";
import { requests, responses } from "../../src/ttrpc/messages";
import { Fifos } from "../containerd/support/fifos";
import { command, output } from "../support/command";
import { fileIn, makeImage, putInto } from "../support/disk-image";
import { runvTest } from "../support/rig";
import { until } from "../support/until";
import { bareBundle, TestShim } from "./support/shim";

/** The frames, by connections. */
const recorded = readFileSync(join(import.meta.dir, "containerd-1.6.20.frames"), "utf8")
  .replaceAll(/^#.*\n/gm, "")
  .trim()
  .split("\n\n")
  .map((connection) => connection.split("\n").map((line) => Buffer.from(line, "hex")));

/** A connection on which frames are sent as they were, but for what is of the other machine. */
class Replay {
  readonly #socket;
  readonly #answers = new Map<number, (payload: Uint8Array) => void>();

  constructor(socket: string) {
    this.#socket = connect(socket);
    const decoder = new FrameDecoder({
      frame: ({ stream, payload }) => this.#answers.get(stream)?.(payload.slice()),
      tooLong: () => {},
    });
    this.#socket.on("data", (bytes: Buffer) => decoder.push(bytes));
  }

  /** @param change of a request's payload @returns the call's name and, when it is there, its answer */
  send(bytes: Buffer, change: (method: string, payload: Uint8Array) => Uint8Array) {
    const { stream, payload } = frameOf(bytes);
    const { service, method, payload: asked, timeout_nano, metadata } = requests.decode(payload);
    const changed = change(method, asked);
    const same = changed === asked;
    const again = requests.encode({ service, method, payload: changed, timeout_nano, metadata });
    const answer = new Promise<Uint8Array>((resolve) => this.#answers.set(stream, resolve));
    this.#socket.write(same ? bytes : encodeFrame({ stream, type: FrameType.request, payload: again }));
    return { method, answer };
  }

  close(): void {
    this.#socket.destroy();
  }
}

function frameOf(bytes: Uint8Array): Frame {
  let found: Frame | undefined;
  new FrameDecoder({ frame: (frame) => (found = frame), tooLong: () => {} }).push(bytes);
  return found!;
}

const ends = ({ events }: TestShim) => events.filter(([topic]) => topic === "exit").length;

runvTest("a recorded conversation is answered as it was", async (rig) => {
  const { bundle, rootfs } = await bareBundle(rig, ["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 1; done"]);
  const fifos = new Fifos(rig.directory).open();
  const here = (method: string, payload: Uint8Array): Uint8Array => {
    if (method === "Create") {
      return codec("CreateTaskRequest").encode({ ...codec("CreateTaskRequest").decode(payload), ...task });
    }
    if (method !== "Exec") return payload;
    return codec("ExecProcessRequest").encode({
      ...codec("ExecProcessRequest").decode(payload),
      ...fifos.paths,
    } as never);
  };
  const task = { bundle, rootfs, stdin: "", stdout: "", stderr: "", options: { type_url: "" } };
  await TestShim.with(rig, "r", bundle, async (shim) => {
    const said: string[] = [];
    for (const frames of recorded) {
      const replay = new Replay(shim.socket);
      for (const bytes of frames) {
        // As containerd does, which waits for the end before it goes on.
        if (said.at(-1) === "Kill") await until("its end", () => ends(shim) === 2);
        const { method, answer } = replay.send(bytes, here);
        // This one is answered when the process has ended, and by then others have been.
        if (method === "Wait") continue;
        const { status } = responses.decode(await answer);
        said.push(status?.code ? `${method}: ${status.message}` : method);
        if (method === "Start" && said.includes("Exec")) await until("the other's end", () => ends(shim) === 1);
      }
      replay.close();
    }
    expect(said.filter((name) => name.includes(":"))).toEqual([]);
    await shim.heard("delete");
    expect(shim.events).toEqual([
      ["create"],
      ["start"],
      ["exec-added", "x"],
      ["exec-started", "x"],
      ["exit", "x", 0],
      ["paused"],
      ["resumed"],
      ["exit", "r", 3],
      ["delete", 3],
    ]);
    expect(fifos.output).toBe("in\n");
  });
  fifos.close();
});

describe("calls", () => {
  runvTest("what cannot be is refused with a code, and nothing is left of it", async (rig) => {
    const { bundle, rootfs } = await bareBundle(rig, ["sleep", "1000"]);
    const id = rig.id("task");
    await TestShim.with(rig, id, bundle, async (shim) => {
      const state = () => shim.call("State", "StateRequest", { id }, "StateResponse", "containerd.task.v3.Task");
      const create = (more: object) =>
        shim.call("Create", "CreateTaskRequest", { id, bundle, rootfs, ...more }, "CreateTaskResponse");
      await expect(state()).rejects.toMatchObject({ code: 5 });
      await expect(create({ checkpoint: "/c" })).rejects.toMatchObject({ code: 5 });
      await expect(create({ options: { type_url: "other", value: new Uint8Array() } })).rejects.toMatchObject({
        code: 3,
      });
      await expect(create({ stdout: "http://x" })).rejects.toThrow("the schemes are fifo, file and binary");
      const image = { type: "ext4", source: "/nowhere", options: ["loop"] };
      await expect(create({ rootfs: [image] })).rejects.toThrow("rootfs: /nowhere: not found");
      await expect(create({ rootfs: [image, image] })).rejects.toMatchObject({ code: 12 });
      expect((await create({})).pid).toBeGreaterThan(0);
      expect((await state()).status).toBe(TaskStatus.created);
      await expect(create({})).rejects.toMatchObject({ code: 6 });
      await shim.call("Start", "StartRequest", { id }, "StartResponse");
      expect((await state()).status).toBe(TaskStatus.running);
      const path = join(rig.directory, "checkpoint");
      const refused: [string, () => Promise<unknown>, number][] = [
        ["start again", () => shim.call("Start", "StartRequest", { id }, "StartResponse"), 9],
        ["delete while it runs", () => shim.call("Delete", "DeleteRequest", { id }, "DeleteResponse"), 9],
        [
          "checkpoint of what is shared",
          () => shim.call("Checkpoint", "CheckpointTaskRequest", { id, path }, "Empty"),
          9,
        ],
        ["no such process", () => shim.call("Kill", "KillRequest", { id, exec_id: "x", signal: 9 }, "Empty"), 5],
        ["a bad signal", () => shim.call("Kill", "KillRequest", { id, signal: 99 }, "Empty"), 3],
        ["no call", () => shim.call("Other", "Empty", {}, "Empty"), 12],
        ["no service", () => shim.call("State", "StateRequest", { id }, "StateResponse", "other.Task"), 12],
      ];
      for (const [what, call, code] of refused) await expect(call(), what).rejects.toMatchObject({ code });
      const value = Buffer.from('{"memory":{"limit":83886080},"pids":{"limit":50}}');
      await shim.call("Update", "UpdateTaskRequest", { id, resources: { type_url: "x", value } }, "Empty");
      const { stats } = await shim.call("Stats", "IdRequest", { id }, "StatsResponse");
      expect(metricsCodec.decode(stats!.value)).toMatchObject({
        memory: { usage_limit: 83886080n },
        pids: { current: 1n, limit: 50n },
      });
      await shim.call("Kill", "KillRequest", { id, signal: 9 }, "Empty");
      expect((await shim.call("Wait", "WaitRequest", { id }, "WaitResponse")).exit_status).toBe(137);
      await expect(shim.call("Kill", "KillRequest", { id, signal: 9 }, "Empty")).rejects.toMatchObject({ code: 5 });
      expect(await shim.call("Delete", "DeleteRequest", { id }, "DeleteResponse")).toMatchObject({ exit_status: 137 });
      await shim.call("Shutdown", "ShutdownRequest", { id }, "Empty");
    });
  });

  runvTest("events wait for a containerd that is away, and come once, in order", async (rig) => {
    const { bundle, rootfs } = await bareBundle(rig, ["true"]);
    const id = rig.id("task");
    await TestShim.with(rig, id, bundle, async (shim) => {
      shim.stopListening();
      await shim.call("Create", "CreateTaskRequest", { id, bundle, rootfs }, "CreateTaskResponse");
      await shim.call("Start", "StartRequest", { id }, "StartResponse");
      await shim.call("Wait", "WaitRequest", { id }, "WaitResponse");
      expect(shim.events).toEqual([]);
      shim.listen();
      await shim.heard("exit");
      await shim.call("Delete", "DeleteRequest", { id }, "DeleteResponse");
      await shim.call("Shutdown", "ShutdownRequest", { id }, "Empty");
      await shim.heard("delete");
      expect(shim.events).toEqual([["create"], ["start"], ["exit", id, 0], ["delete", 0]]);
    });
  });

  runvTest("where there is no socket for events, the program that containerd names is told them", async (rig) => {
    const { bundle, rootfs } = await bareBundle(rig, ["true"]);
    const id = rig.id("task");
    const tells = async (shim: TestShim) => {
      await shim.call("Create", "CreateTaskRequest", { id, bundle, rootfs }, "CreateTaskResponse");
      await shim.call("Start", "StartRequest", { id }, "StartResponse");
      await shim.call("Wait", "WaitRequest", { id }, "WaitResponse");
      await shim.call("Delete", "DeleteRequest", { id }, "DeleteResponse");
      await until("all events", () => shim.published.length === 4);
      const told = shim.published.map((line) =>
        /^--address \/nowhere publish --topic (\S+) --namespace test (\w+)$/.exec(line)!.slice(1),
      );
      expect(told.map(([topic]) => topic)).toEqual(
        ["create", "start", "exit", "delete"].map((name) => `/tasks/${name}`),
      );
      const { type_url, value } = codec("Any").decode(Buffer.from(told[2]![1]!, "hex"));
      expect(type_url).toBe("containerd.events.TaskExit");
      expect(codec("TaskExit").decode(value)).toMatchObject({ container_id: id, id, exit_status: 0 });
      expect(shim.events).toEqual([]);
      await shim.call("Shutdown", "ShutdownRequest", { id }, "Empty");
    };
    await TestShim.with(rig, id, bundle, tells, { TTRPC_ADDRESS: "" });
  });

  runvTest("an image and a block device are disks of the machine, and nothing is mounted on the host", async (rig) => {
    const image = await makeImage(rig.directory);
    const script = "grep ' / ' /proc/mounts; echo $HOME; echo kept >> /word; exec sleep 1000";
    const { bundle } = await bareBundle(rig, ["sh", "-c", script], { readonly: false });
    await putInto(image, "/etc/passwd", "root:x:0:0::/home/of-root:/bin/sh\n");
    const task = async (source: string, options: string[]) => {
      const id = rig.id("task");
      const fifos = new Fifos(rig.directory).open();
      const { paths } = fifos;
      await TestShim.with(rig, id, bundle, async (shim) => {
        const rootfs = [{ type: "ext4", source, options }];
        await shim.call("Create", "CreateTaskRequest", { id, bundle, rootfs, ...paths }, "CreateTaskResponse");
        await shim.call("Start", "StartRequest", { id }, "StartResponse");
        await fifos.see(/\/home\/of-root\n/);
        expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(`${bundle}/rootfs `);
        await shim.call("Kill", "KillRequest", { id, signal: 9 }, "Empty");
        await shim.call("Wait", "WaitRequest", { id }, "WaitResponse");
        await shim.call("Delete", "DeleteRequest", { id }, "DeleteResponse");
        await shim.call("Shutdown", "ShutdownRequest", { id }, "Empty");
      });
      fifos.close();
      return fifos.output;
    };
    expect(await task(image, ["loop", "rw", "noatime"])).toMatch(/^\/dev\/vd\w \/ ext4 rw,noatime/);
    expect(await fileIn(image, "/word")).toBe("kept\n");
    expect(await task(image, ["loop", "ro"])).toMatch(/^\/dev\/vd\w \/ ext4 ro/);
    const device = (await output("losetup", "-f", "--show", image)).trim();
    try {
      expect(await task(device, ["discard"])).toMatch(/^\/dev\/vd\w \/ ext4 rw.*discard/);
    } finally {
      await command("losetup", "-d", device);
    }
    expect(await fileIn(image, "/word")).toBe("kept\nkept\n");
  });

  runvTest("a task goes on where another one was saved, and counts on", async (rig) => {
    const source = await makeImage(rig.directory);
    const script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done";
    const { bundle } = await bareBundle(rig, ["sh", "-c", script], { readonly: false });
    const rootfs = [{ type: "ext4", source, options: ["loop", "rw"] }];
    const id = rig.id("task");
    const path = join(rig.directory, "checkpoint");
    await TestShim.with(rig, id, bundle, async (shim) => {
      const wanting = (options: object) => ({
        ...{ id, path },
        options: {
          type_url: "containerd.runc.v1.CheckpointOptions",
          value: codec("CheckpointOptions").encode(options),
        },
      });
      const save = (options: object) => shim.call("Checkpoint", "CheckpointTaskRequest", wanting(options), "Empty");
      /** Makes a task, and ends it. @returns what it put out */
      const task = async (checkpoint: string, end: () => Promise<unknown>): Promise<string> => {
        const fifos = new Fifos(rig.directory).open();
        const wanted = { id, bundle, rootfs, ...fifos.paths, checkpoint };
        const { pid } = await shim.call("Create", "CreateTaskRequest", wanted, "CreateTaskResponse");
        expect(pid === 0).toBe(checkpoint !== "");
        const started = await shim.call("Start", "StartRequest", { id }, "StartResponse");
        expect(started.pid).toBeGreaterThan(0);
        await fifos.see(/\d+\n\d+\n\d+\n/);
        await end();
        expect((await shim.call("Wait", "WaitRequest", { id }, "WaitResponse")).exit_status).toBe(137);
        await shim.call("Delete", "DeleteRequest", { id }, "DeleteResponse");
        const { output } = fifos;
        fifos.close();
        return output;
      };
      const before = await task("", async () => {
        await expect(save({ open_tcp: true })).rejects.toMatchObject({ code: 12 });
        await expect(save({ empty_namespaces: ["pid"] })).rejects.toMatchObject({ code: 12 });
        // As clients do, which pause it and have it go on, whatever comes of it.
        await shim.call("Pause", "IdRequest", { id }, "Empty");
        await save({ exit: true, terminal: true, file_locks: true, external_unix_sockets: true });
      });
      const after = await task(path, () => shim.call("Kill", "KillRequest", { id, signal: 9 }, "Empty"));
      const numbers = (before + after).trim().split("\n").map(Number);
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
      // The disk is another by now: nothing is made of it, and what was wanted can be deleted.
      const again = { id, bundle, rootfs, stdin: "", stdout: "", stderr: "", checkpoint: path };
      await shim.call("Create", "CreateTaskRequest", again, "CreateTaskResponse");
      await expect(shim.call("Start", "StartRequest", { id }, "StartResponse")).rejects.toThrow("is not what it was");
      await shim.call("Delete", "DeleteRequest", { id }, "DeleteResponse");
      await shim.call("Shutdown", "ShutdownRequest", { id }, "Empty");
      await until("all events", () => shim.events.filter(([topic]) => topic === "delete").length === 3);
      expect(shim.events.filter(([topic]) => topic !== "create")).toEqual([
        ["start"],
        ["paused"],
        ["exit", id, 137],
        ["delete", 137],
        ["start"],
        ["exit", id, 137],
        ["delete", 137],
        ["delete", 255],
      ]);
    });
  });

  runvTest("with the shim its machine goes, and delete tells so", async (rig) => {
    const { bundle, rootfs } = await bareBundle(rig, ["sleep", "1000"]);
    const id = rig.id("task");
    await TestShim.with(rig, id, bundle, async (shim) => {
      const { pid } = await shim.call("Create", "CreateTaskRequest", { id, bundle, rootfs }, "CreateTaskResponse");
      await shim.call("Start", "StartRequest", { id }, "StartResponse");
      process.kill(await shim.pid(), "SIGKILL");
      await until("the machine has gone", () => rig.leaks().every((leak) => !/qemu|monitor/.test(leak)));
      const answer = codec("DeleteResponse").decode(await shim.run("delete"));
      expect(answer).toMatchObject({ pid, exit_status: 137 });
      expect(Math.abs(Number(answer.exited_at?.seconds) - Date.now() / 1000)).toBeLessThan(60);
    });
  });
});
