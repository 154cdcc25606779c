/** The walk of docs/runv-containerd.md, word for word: its config.json, its commands, and what they print. */
import { expect } from "bun:test";
import { closeSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openTerminal } from "../../src/linux/terminal";
import { Terminal } from "../support/console-socket";
import { type Rig, runvTest } from "../support/rig";
import { binary, marker } from "../support/runv";
import { until } from "../support/until";
import { TestDaemon } from "./support/daemon";

const page = readFileSync(join(import.meta.dir, "../../docs/runv-containerd.md"), "utf8");
const block = (language: string) => new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "ms").exec(page)![1]!;

/** Each command with what it prints, as patterns for lines. */
const steps = block("console")
  .split(/^# /m)
  .slice(1)
  .map((text) => {
    const [command = "", ...lines] = text.trimEnd().split("\n");
    return { command, lines };
  });

runvTest("the walk", async (rig) => {
  const bundle = await bundleOf2016(rig);
  await TestDaemon.with(rig, async (daemon) => {
    const ctr = link(rig, "runv-ctr");
    for (const { command, lines } of steps) {
      const words = command.replace("BUNDLE", bundle).split(" ").slice(1);
      const call = [ctr, "--address", `unix://${daemon.socket}`, "--conn-timeout", "30s", ...words];
      const child = Bun.spawn(call, {
        env: { ...process.env, [marker]: rig.name },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const expected = lines.map((line) => pattern(line, bundle));
      if (words[0] === "events") {
        expect(await firstLines(child.stdout, lines.length)).toEqual(
          expected.map((line) => expect.stringMatching(line)),
        );
        child.kill();
        await child.exited;
      } else {
        const [stdout, stderr] = await Promise.all([
          new Response(child.stdout).text(),
          new Response(child.stderr).text(),
        ]);
        expect([command, await child.exited, stderr]).toEqual([command, 0, ""]);
        const printed = stdout
          .split("\n")
          .map((line) => line.trimEnd())
          .filter(Boolean);
        expect(printed).toEqual(expected.map((line) => expect.stringMatching(line)));
      }
      if (command.includes(" kill "))
        await until("its end", async () => (await daemon.call("State", {})).containers.length === 0);
    }
    await until("nothing is left", () => daemon.leftovers().length === 0);
  });
});

runvTest("a terminal that is attached: what is typed, its size, the exit code", async (rig) => {
  const bundle = await bundleOf2016(rig);
  await TestDaemon.with(rig, async (daemon) => {
    const { master, slave } = openTerminal({ rows: 33, columns: 99 });
    const terminal = new Terminal(master);
    const call = [link(rig, "runv-ctr"), "--address", `unix://${daemon.socket}`, "--conn-timeout", "30s"];
    const child = Bun.spawn([...call, "containers", "start", "-a", rig.id("tty"), bundle], {
      env: { ...process.env, [marker]: rig.name },
      stdio: [slave, slave, slave],
    });
    await until("the shell", () => terminal.output.includes("# "), 60_000);
    await until(
      "its size",
      async () => {
        terminal.write("stty size\n");
        await Bun.sleep(100);
        return terminal.output.includes("33 99\r\n");
      },
      60_000,
    );
    terminal.write("exit 5\n");
    expect(await child.exited).toBe(5);
    closeSync(slave);
    await terminal.end();
  });
});

runvTest("ctr passes on the exit code and the output, whatever its size; mistakes", async (rig) => {
  await TestDaemon.with(rig, async (daemon) => {
    const bundle = await rig.bundle({ args: ["sh", "-c", "cat; echo error >&2; exit 5"] });
    const id = rig.id("cat");
    const input = "0123456789abcde\n".repeat(20_000);
    const { code, stdout, stderr } = await daemon.ctr(["containers", "start", "-a", id, bundle], input);
    expect({ code, stderr, same: stdout === input }).toEqual({ code: 5, stderr: "error\n", same: true });
    const mistakes: [string[], string][] = [
      [["containers", "kill", "nope"], "[ctr] rpc error: code = 2 desc = containerd: container not found\n"],
      [["containers", "start", "x"], "[ctr] bundle path cannot be empty\n"],
      [["containers", "pause"], "[ctr] container id cannot be empty\n"],
      [["checkpoints", "list", "x"], "[ctr] rpc error: code = 5 desc = no such containers\n"],
    ];
    for (const [args, says] of mistakes) expect(await daemon.ctr(args)).toEqual({ code: 1, stdout: "", stderr: says });
    const nobody = await rig.runv(["ctr", "--address", `unix://${rig.directory}/nobody.sock`, "version"]);
    expect(nobody).toEqual({ code: 1, stdout: "", stderr: "[ctr] grpc: timed out trying to connect\n" });
  });
});

/** A line of the page: numbers and widths may be others, and `…` is anything. */
function pattern(line: string, bundle: string): RegExp {
  const escaped = line.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("…", ".*");
  const loose = escaped.replaceAll(/\d+/g, "\\d+").replaceAll(/ +/g, " +").replaceAll("BUNDLE", bundle);
  return new RegExp(`^${loose.replace(/^ \+/, " *")}`);
}

async function bundleOf2016(rig: Rig): Promise<string> {
  const bundle = await rig.bundle();
  const { root } = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  symlinkSync(root.path, join(bundle, "rootfs"));
  writeFileSync(join(bundle, "config.json"), block("json"));
  return bundle;
}

/** The executable by another name, as ./install makes it. */
function link(rig: Rig, name: string): string {
  const path = join(rig.directory, name);
  rmSync(path, { force: true });
  symlinkSync(binary, path);
  return path;
}

async function firstLines(stream: ReadableStream<Uint8Array>, count: number): Promise<string[]> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    if (text.split("\n").length > count) break;
  }
  return text.split("\n").slice(0, count);
}
