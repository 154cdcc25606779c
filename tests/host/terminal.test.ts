/** Terminals of containers without a virtual machine: handed over by a socket, or carried in the foreground. */
import { expect } from "bun:test";
import { join } from "node:path";
import { ConsoleSocket } from "../support/console-socket";
import { hostTest, type Rig } from "../support/rig";
import { until } from "../support/until";

const withTerminal = (rig: Rig, args: string[]) =>
  rig.bundle({
    args,
    change: ({ process }) => {
      process.terminal = true;
      process.consoleSize = { height: 33, width: 99 };
    },
  });

hostTest("a console socket gets the container's own terminal, and one for exec", async (rig) => {
  const { runv, id, directory } = rig;
  const socket = new ConsoleSocket(join(directory, "console"));
  const bundle = await withTerminal(rig, ["sh", "-c", "stty size; tty; ls -l /dev/console; exec sh"]);
  const flags = ["--console-socket", socket.path];
  expect(await runv(["create", "-b", bundle, ...flags, id("tty")])).toEqual({ code: 0, stdout: "", stderr: "" });
  const terminal = socket.receive();
  expect((await runv(["start", id("tty")])).code).toBe(0);
  await terminal.see(/33 99\r\n\/dev\/pts\/0\r\n.*136, +0.*\/dev\/console/);
  expect(await runv(["exec", "-d", "-t", ...flags, id("tty"), "sh"])).toEqual({ code: 0, stdout: "", stderr: "" });
  const second = socket.receive();
  expect((await second.ask("tty", /\n(\/\S+)\r/))[1]).toBe("/dev/pts/1");
  second.write("exit\n");
  await second.end();
  terminal.resize(44, 55);
  await until("it has its size", async () => (await terminal.ask("stty size", /\n(\d+ \d+)\r/))[1] === "44 55");
  terminal.write("exit\n");
  await terminal.end();
  await until("it is stopped", async () => /"stopped"/.test((await runv(["state", id("tty")])).stdout));
  expect((await runv(["delete", id("tty")])).code).toBe(0);
  socket.close();
});

hostTest("in the foreground it is carried, to its last byte, and the exit code is told", async (rig) => {
  const script =
    "stty size; read line; echo got $line; i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 5";
  const bundle = await withTerminal(rig, ["sh", "-c", script]);
  const words = rig.command(["run", "-b", bundle, rig.id("fg")]).map((word) => `'${word}'`);
  const command = `stty rows 30 cols 90; ${words.join(" ")}; echo code $?; stty -a | grep -c ' echo '`;
  const child = Bun.spawn(["script", "-qec", command, "/dev/null"], { stdin: "pipe", stdout: "pipe" });
  child.stdin.write("hello\n");
  child.stdin.flush();
  const text = await new Response(child.stdout).text();
  expect(text).toContain("30 90\r\n");
  expect(text).toContain("got hello\r\n");
  expect(text).toContain("line 1999\r\ncode 5\r\n1\r\n");
});

hostTest("no master of a terminal is sent where nobody listens, and nothing is left", async (rig) => {
  const bundle = await withTerminal(rig, ["sh"]);
  const create = await rig.runv([
    "create",
    "-b",
    bundle,
    "--console-socket",
    join(rig.directory, "none"),
    rig.id("no"),
  ]);
  expect(create).toMatchObject({ code: 1, stderr: expect.stringContaining("CONSOLE_SOCKET") });
  expect((await rig.runv(["create", "-b", bundle, rig.id("no")])).stderr).toContain("cannot allocate tty");
});
