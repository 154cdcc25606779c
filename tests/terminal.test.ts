/** Terminals: one that a caller is sent, and the one that somebody sits before. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ConsoleSocket } from "./support/console-socket";
import { type Rig, runvTest } from "./support/rig";
import { forgetRunc } from "./support/runc";
import { quoted, Tmux } from "./support/tmux";
import { until } from "./support/until";

const withTerminal = (rig: Rig, args = ["sh"]) =>
  rig.bundle({
    args,
    change: ({ process }) => {
      process.terminal = true;
      process.consoleSize = { height: 20, width: 70 };
      process.env.push("PS1=inside$ ");
    },
  });

/** Says when it is to be interrupted; before, the shell would be. */
const sleeper = `sh -c 'echo st""arted; exec sleep 1000'`;

runvTest(
  "a terminal's master is sent to the console socket, sized, resized and interrupted from there",
  async (rig) => {
    const { id, runv, directory } = rig;
    const socket = new ConsoleSocket(join(directory, "console.sock"));
    const create = rig.spawn(["create", "-b", await withTerminal(rig), "--console-socket", socket.path, id("tty")]);
    // Whoever reads the command's output sees its end: nothing that it leaves behind has it.
    expect(await Promise.all([new Response(create.stdout).text(), new Response(create.stderr).text()])).toEqual([
      "",
      "",
    ]);
    expect(await create.exited).toBe(0);
    const terminal = socket.receive();
    expect((await runv(["start", id("tty")])).code).toBe(0);
    await terminal.see(/inside\$ /);
    expect((await terminal.ask("tty; stty size", /\n(\S+)\r\n(\d+ \d+)\r/))?.slice(1)).toEqual(["/dev/pts/0", "20 70"]);
    // The line is echoed once: by the terminal inside, not by this one.
    expect(terminal.output.match(/stty size/g)).toHaveLength(1);
    // Not by the shell itself: it reads lines, and takes this signal for its own purposes.
    const watch = `sh -c 'trap "stty size; exit" WINCH; echo s""et; while :; do sleep 0.1; done'`;
    await terminal.ask(watch, /\nset\r/);
    terminal.resize(50, 132);
    await terminal.see(/\n50 132\r/);
    await terminal.ask(sleeper, /\nstarted\r/);
    terminal.write("\x03");
    await terminal.ask("echo code $?", /code 130\r/);
    expect(
      (await terminal.ask("ls -l /dev/console | cut -c1; stty -a | grep -o -- '-\\?icanon'", /\nc\r\n(\S+)\r/))[1],
    ).toBe("icanon");

    const exec = await runv([
      "exec",
      "--tty",
      "--detach",
      "--console-socket",
      socket.path,
      "--pid-file",
      join(directory, "pid"),
      id("tty"),
      "sh",
    ]);
    expect(exec).toEqual({ code: 0, stdout: "", stderr: "" });
    const second = socket.receive();
    await second.see(/inside\$ /);
    expect((await second.ask("tty", /\n(\/\S+)\r/))[1]).toBe("/dev/pts/1");
    second.resize(33, 44);
    const pid = Number(readFileSync(join(directory, "pid"), "utf8"));
    process.kill(pid, "SIGWINCH");
    await until(
      "the second terminal has its size",
      async () => (await second.ask("stty size", /\n(\d+ \d+)\r/))[1] === "33 44",
    );
    second.write("exit\n");
    await second.end();

    terminal.write("exit\n");
    await terminal.end();
    await until("the container is stopped", async () => /"stopped"/.test((await runv(["state", id("tty")])).stdout));
    expect((await runv(["delete", id("tty")])).code).toBe(0);
    socket.close();
  },
);

runvTest("flags that do not fit the terminal are refused, in runc's words", async (rig) => {
  const plain = await rig.bundle();
  const bundle = await withTerminal(rig);
  const create = async (...args: string[]) => (await rig.runv(["create", ...args, rig.id("no")])).stderr;
  expect(await create("-b", bundle)).toContain(
    "cannot allocate tty if runv will detach without setting console socket",
  );
  expect(await create("-b", plain, "--console-socket", "/x")).toContain(
    "cannot use console socket if runv will not detach or allocate tty",
  );
  expect(await create("-b", bundle, "--console-socket", join(rig.directory, "none"))).toContain("none");
});

runvTest(
  "in the foreground, a file gets new lines as they were written; a terminal that is not raw makes its own",
  async (rig) => {
    const asked = "stty onlcr; echo asked; stty -onlcr; echo not";
    const bundle = await withTerminal(rig, ["sh", "-c", `printf 'one\\ntwo\\n'; ${asked}; cat /none; true`]);
    const file = join(rig.directory, "output");
    /** What the words write, called by somebody at a terminal of its own. */
    const said = async (words: string[], redirected: string): Promise<string> => {
      const script = ["script", "-qec", `${quoted(words)} ${redirected}`, `${file}.typescript`];
      expect(await Bun.spawn(script, { stdin: "pipe", stdout: "ignore" }).exited).toBe(0);
      return readFileSync(redirected.includes(file) ? file : `${file}.typescript`, "utf8");
    };
    const lines = "one\ntwo\nasked\r\nnot\ncat: can't open '/none': No such file or directory\n";
    const ofRunc = ["runc", "--root", join(rig.directory, "runc"), "run", "-b", bundle, rig.id("runc")];
    const run = rig.command(["run", "-b", bundle, rig.id("run")]);
    for (const words of [ofRunc, run]) {
      expect(await said(words, `>${file}`)).toBe(lines);
      expect(await said(words, `| cat >${file}`)).toBe(lines);
    }
    forgetRunc(rig);
    expect(await said(run, "</dev/null")).toContain("one\r\ntwo\r\n");
    expect(await said(run, "")).toContain("one\r\ntwo\r\n");

    const plain = await rig.bundle({ args: ["sleep", "1000"] });
    expect((await rig.runv(["run", "-d", "-b", plain, rig.id("exec")])).code).toBe(0);
    const exec = ["exec", "--tty", rig.id("exec"), "sh", "-c", "tty; printf 'one\\ntwo\\n'"];
    expect(await said(rig.command(exec), `>${file}`)).toBe("/dev/pts/0\none\ntwo\n");
    expect((await rig.runv(["delete", "--force", rig.id("exec")])).code).toBe(0);
  },
);

runvTest(
  "in the foreground, under tmux: editing, resizing, Ctrl-C; the terminal is as before however it ends",
  async (rig) => {
    const { id, runv } = rig;
    const tmux = await Tmux.start(`${rig.name}-tmux`);
    try {
      const bundle = await withTerminal(rig);
      const plain = await withTerminal(rig);
      const run = quoted(rig.command(["run", "-b", bundle, id("fg")]));
      await tmux.type("before=$(stty -g)");
      const start = async (command = run) => {
        await tmux.clear();
        await tmux.type(`${command}; code=$?; [ "$(stty -g)" = "$before" ] && echo same $code`);
        await tmux.see(/^inside\$/m);
      };
      const state = async () => JSON.parse(readFileSync(join(rig.root, id("fg"), "state.json"), "utf8"));

      await start();
      await tmux.type("stty size");
      await tmux.see(/^24 80$/m);
      await tmux.resize(30, 101);
      await until("the new size", async () => {
        await tmux.type("stty size");
        return /^30 101$/m.test(await tmux.screen());
      });
      // The line is edited inside: `ehco hello` becomes `echo hello`.
      await tmux.keys("-l", "ehcoX");
      await tmux.keys("BSpace", "BSpace", "BSpace", "BSpace");
      await tmux.keys("-l", "cho edi");
      await tmux.keys("Left", "Right");
      await tmux.type("ted");
      await tmux.see(/^edited$/m);
      await tmux.type(sleeper);
      await tmux.see(/^started$/m);
      await tmux.keys("C-c");
      await tmux.type("echo code $?");
      await tmux.see(/^code 130$/m);
      await tmux.type("exit 9");
      await tmux.see(/^same 9$/m);

      await start();
      process.kill((await state()).shim.pid, "SIGKILL");
      await tmux.see(/same 137$/m);

      await start();
      process.kill((await state()).monitor.pid, "SIGKILL");
      await tmux.see(/same 137$/m);

      // It is hung up, as by any terminal that closes.
      await start(quoted(rig.command(["run", "-b", plain, id("fg")])));
      const { creator } = await state();
      process.kill(creator.pid, "SIGKILL");
      // The shim restores it, as soon as it sees that: a moment after the shell has it back.
      await until("the terminal is as before", async () => {
        await tmux.type('[ "$(stty -g)" = "$before" ] && echo rest""ored');
        return /^restored$/m.test(await tmux.screen());
      });
      await until("the container is stopped", async () => /"stopped"/.test((await runv(["state", id("fg")])).stdout));
      expect((await runv(["delete", id("fg")])).code).toBe(0);

      // A failure before there is a container leaves the terminal alone, too.
      await tmux.clear();
      await tmux.type(
        `${quoted(rig.command(["run", "-b", "/nowhere", id("fg")]))}; [ "$(stty -g)" = "$before" ] && echo same`,
      );
      await tmux.see(/^same$/m);
    } finally {
      await tmux.end();
    }
  },
);
