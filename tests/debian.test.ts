/** Real systems: Debian as debootstrap makes it, and busybox. */
import { expect } from "bun:test";
import { join } from "node:path";
import { ConsoleSocket } from "./support/console-socket";
import { sharedRig } from "./support/shared";

const runvTest = sharedRig(async (rig) => {
  const bundle = await rig.bundle({
    rootfs: "debian",
    args: ["sleep", "100000"],
    change: ({ process, root }) => {
      root.readonly = false;
      const all = [
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_KILL",
        "CAP_AUDIT_WRITE",
      ];
      process.capabilities = { bounding: all, effective: all, permitted: all };
      process.noNewPrivileges = false;
    },
  });
  const { code, stderr } = await rig.runv(["--default_memory", "256", "run", "-d", "-b", bundle, rig.id("debian")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

runvTest("python computes", async ({ runv, id }) => {
  const program =
    "import hashlib, json, math; print(math.factorial(60)); print(hashlib.sha256(b'runv' * 10**6).hexdigest()); print(json.dumps({'π': math.pi}))";
  const { code, stdout, stderr } = await runv(["exec", id("debian"), "python3", "-c", program]);
  const sum = new Bun.CryptoHasher("sha256").update("runv".repeat(10 ** 6)).digest("hex");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(
    `8320987112741390144276341183223364380754172606361245952449277696409600000000000000\n${sum}\n{"\\u03c0": 3.141592653589793}\n`,
  );
});

runvTest("python runs threads and processes of its own", async ({ runv, id }) => {
  const program =
    "from concurrent.futures import *\nimport os\nwith ProcessPoolExecutor(3) as p, ThreadPoolExecutor(3) as t:\n print(sum(p.map(abs, range(-50, 50))) + sum(t.map(abs, range(-50, 50))))";
  expect((await runv(["exec", id("debian"), "python3", "-c", program])).stdout).toBe("5000\n");
});

runvTest("perl computes", async ({ runv, id }) => {
  const { stdout } = await runv([
    "exec",
    id("debian"),
    "perl",
    "-e",
    'my ($a, $b) = (0, 1); ($a, $b) = ($b, $a + $b) for 1..90; print "$a\\n"',
  ]);
  expect(stdout).toBe("2880067194370816120\n");
});

runvTest("dpkg knows its packages", async ({ runv, id }) => {
  const { code, stdout, stderr } = await runv(["exec", id("debian"), "dpkg", "-l"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^ii {2}bash +\d/m);
  expect(stdout.split("\n").filter((line) => line.startsWith("ii")).length).toBeGreaterThan(80);
});

runvTest("a user is added, logs in, writes files, and may not what others may", async ({ runv, id }) => {
  const shell = (script: string) => runv(["exec", id("debian"), "sh", "-c", script]);
  expect(await shell("useradd -m -s /bin/bash -u 1234 guest && id guest")).toEqual({
    code: 0,
    stdout: "uid=1234(guest) gid=1234(guest) groups=1234(guest)\n",
    stderr: "",
  });
  const login = await shell(
    "su - guest -c 'whoami; pwd; echo $HOME $SHELL; echo text > file; ls -ln file; cat /etc/shadow'",
  );
  expect(login.stdout).toMatch(/^guest\n\/home\/guest\n\/home\/guest \/bin\/bash\n-rw-r--r-- 1 1234 1234 5 .* file\n$/);
  expect(login.stderr).toContain("/etc/shadow: Permission denied");
});

runvTest("a login shell on a terminal", async ({ runv, id, directory }) => {
  const socket = new ConsoleSocket(join(directory, "console"));
  const flags = ["--tty", "--detach", "--console-socket", socket.path, "--env", "TERM=vt100", "--env", "PS1=at-login "];
  expect((await runv(["exec", ...flags, id("debian"), "bash", "-l"])).code).toBe(0);
  const terminal = socket.receive();
  await terminal.see(/[#$] $|at-login $/);
  // Readline: back over the last word, and a completion.
  await terminal.ask("echo $0 $((6 * 7)) wrong\x17right", /bash 42 right\r/);
  await terminal.ask("ls -d /usr/sh\t", /[\r\n]\/usr\/share\/?\r/);
  terminal.write("exit\n");
  await terminal.end();
  socket.close();
});
