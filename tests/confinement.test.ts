/** A process cannot do what its configuration forbids: each case tries it, in one container of a user and in one of root. */
import { expect } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { syscallNumber } from "../src/linux/syscalls";
import type { Config } from "./support/bundle";
import { type Rig, runvTest } from "./support/rig";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

/** What the seccomp filter answers, and nothing else does (ENOANO). */
const filtered = { number: 55, name: "ENOANO" };

/** Functions for Python's scripts: what an attempt comes to, as `done` or the name of the error. */
const python = `
import ctypes, errno, os, signal, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_void_p(a) if isinstance(a, int) else a for a in args])
    return "done" if result >= 0 else errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))
def attempt(action):
    try: action()
    except OSError as e: return errno.errorcode.get(e.errno, str(e.errno))
    return "done"
def write(path, text="1"):
    with open(path, "w") as f: f.write(text)
def say(name, outcome): print(name, outcome)
`;

function prisoner(config: Config): void {
  const { process, linux, root, mounts } = config;
  process.user = { uid: 1000, gid: 1000 };
  process.capabilities = { bounding: ["CAP_KILL", "CAP_SETUID"], effective: [], permitted: [] };
  process.noNewPrivileges = true;
  process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 64, hard: 64 }];
  linux.seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
    syscalls: [{ names: ["unshare", "ptrace", "swapon"], action: "SCMP_ACT_ERRNO", errnoRet: filtered.number }],
  };
  linux.resources = {
    devices: [{ allow: false, access: "rwm" }],
    pids: { limit: 20 },
    memory: { limit: 96 << 20, swap: 96 << 20 },
  };
  linux.maskedPaths = ["/etc/secret", "/proc/kallsyms", "/vault"];
  linux.readonlyPaths = ["/proc/sys", "/open"];
  mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"] });
  furnish(root.path);
}

/** What there is to be had in the root file system. */
function furnish(root: string): void {
  const setuid = join(root, "setuid");
  copyFileSync(join(root, "usr/bin/id"), setuid);
  chmodSync(setuid, 0o4755);
  writeFileSync(join(root, "etc/secret"), "secret\n", { mode: 0o644 });
  for (const name of ["vault", "open"]) {
    mkdirSync(join(root, name));
    chmodSync(join(root, name), 0o777);
    writeFileSync(join(root, name, "file"), "content\n");
    chmodSync(join(root, name, "file"), 0o666);
  }
}

/** Root with what Docker gives, and more files to write to than are its own. */
function keeper(config: Config): void {
  const { process, linux, root } = config;
  const names = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_RAW",
    "SETUID",
    "SETGID",
    "SETPCAP",
  ];
  const all = names.map((name) => `CAP_${name}`);
  process.capabilities = { bounding: all, effective: all, permitted: all };
  root.readonly = false;
  linux.maskedPaths = ["/etc/secret", "/proc/kallsyms", "/vault"];
  linux.readonlyPaths = ["/proc/sys", "/proc/sysrq-trigger", "/open"];
  config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777", "dev"] });
  furnish(root.path);
}

const shared = sharedRig(async (rig) => {
  for (const [name, change] of Object.entries({ prisoner, keeper })) {
    const bundle = await rig.bundle({ rootfs: "debian", args: ["sleep", "100000"], change });
    expect(await rig.runv(["run", "-d", "-b", bundle, rig.id(name)])).toMatchObject({ code: 0, stderr: "" });
  }
});

/** Runs a script of Python's in a container. @returns what it says, by its first word */
async function inside({ runv, id }: Rig, name: string, script: string): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await runv(["exec", id(name), "python3", "-c", python + script]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return Object.fromEntries(
    stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split(/ (.*)/s) as [string, string]),
  );
}

const number = { unshare: syscallNumber("unshare"), mount: syscallNumber("mount"), setns: syscallNumber("setns") };

shared("seccomp: a call that is refused stays so, for children and behind another filter", async (rig) => {
  const script = `
say("unshare", call(${number.unshare}, 0x10000000))
x32 = call(${number.unshare} | 0x40000000, 0x10000000)
say("x32", x32)
allow = struct.pack("HBBI", 6, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(allow)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(buffer)))
say("load", "done" if libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program))) == 0 else "no")
say("behind", call(${number.unshare}, 0x10000000))
say("child", os.popen("unshare -U true 2>&1").read().strip())
`;
  expect(await inside(rig, "prisoner", script)).toEqual({
    unshare: filtered.name,
    x32: expect.stringMatching(new RegExp(`^(${filtered.name}|ENOSYS)$`)),
    load: "done",
    behind: filtered.name,
    child: expect.stringContaining("unshare failed"),
  });
});

shared("capabilities: a user without them, and no way to them", async (rig) => {
  const script = `
say("setuid", attempt(lambda: os.setuid(0)))
say("chown", attempt(lambda: os.chown("/tmp", 1000, 1000)))
say("chroot", attempt(lambda: os.chroot("/tmp")))
say("nice", attempt(lambda: os.nice(-5)))
say("hostname", attempt(lambda: socket.sethostname("mine")))
say("raw", attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)))
say("mount", call(${number.mount}, b"none", b"/tmp", b"tmpfs", 0, 0))
say("namespace", call(${number.setns}, os.open("/proc/self/ns/uts", os.O_RDONLY), 0))
say("root", attempt(lambda: os.listdir("/proc/1/root/root")))
say("bounding", "done" if libc.prctl(24, 21) == 0 else "no")
say("setuid-file", os.popen("/setuid -u").read().strip())
say("privileges", "done" if libc.prctl(38, 0, 0, 0, 0) == 0 else "no")
say("descriptors", attempt(lambda: [os.dup(0) for _ in range(100)]))
`;
  expect(await inside(rig, "prisoner", script)).toEqual({
    setuid: "EPERM",
    chown: "EPERM",
    chroot: "EPERM",
    nice: "EPERM",
    hostname: "EPERM",
    raw: "EPERM",
    mount: "EPERM",
    namespace: "EPERM",
    root: "EACCES",
    bounding: "no",
    // no_new_privs: a file's owner gives nothing, and the flag cannot be taken back.
    "setuid-file": "1000",
    privileges: "no",
    descriptors: "EMFILE",
  });
});

runvTest("without no_new_privs a file's owner is what it is", async ({ runv, bundle, id }) => {
  const path = await bundle({
    rootfs: "debian",
    args: ["/setuid", "-u"],
    change: (config) => {
      prisoner(config);
      config.process.noNewPrivileges = false;
    },
  });
  expect(await runv(["run", "-b", path, id("setuid")])).toEqual({ code: 0, stdout: "0\n", stderr: "" });
});

shared("devices: nodes can be made, and what no rule allows cannot be opened", async (rig) => {
  const script = `
import stat
def node(name, kind, major, minor):
    os.mknod("/tmp/" + name, kind | 0o666, os.makedev(major, minor))
    say(name, attempt(lambda: os.close(os.open("/tmp/" + name, os.O_RDWR))))
for name, major, minor in (("mem", 1, 1), ("port", 1, 4), ("kmsg", 1, 11), ("rtc", 10, 135), ("null", 1, 3)):
    node(name, stat.S_IFCHR, major, minor)
for name, major in (("ram", 1), ("loop", 7), ("disk", 254)):
    node(name, stat.S_IFBLK, major, 0)
say("cgroup", attempt(lambda: write("/sys/fs/cgroup/cgroup.procs", str(os.getpid()))))
`;
  expect(await inside(rig, "keeper", script)).toEqual({
    mem: "EPERM",
    port: "EPERM",
    kmsg: "EPERM",
    rtc: "EPERM",
    null: "done",
    ram: "EPERM",
    loop: "EPERM",
    disk: "EPERM",
    cgroup: "EROFS",
  });
});

shared("paths: what is read-only is not written, and what is masked not read, not even by root", async (rig) => {
  const script = `
say("open", attempt(lambda: write("/open/file")))
say("new", attempt(lambda: write("/open/new")))
say("removed", attempt(lambda: os.unlink("/open/file")))
say("moved", attempt(lambda: os.rename("/open", "/tmp/open")))
say("sysctl", attempt(lambda: write("/proc/sys/kernel/hostname", "mine")))
say("remount", call(${number.mount}, 0, b"/open", 0, 32 | 4096, 0))
say("secret", len(open("/etc/secret").read()))
say("vault", len(os.listdir("/vault")))
say("behind", attempt(lambda: os.unlink("/etc/secret")))
say("symbols", len(open("/proc/kallsyms").read()))
say("link", attempt(lambda: os.link("/open/file", "/linked")))
`;
  const same = { open: "EROFS", new: "EROFS", removed: "EROFS", sysctl: "EROFS", remount: "EPERM" };
  const masked = { secret: "0", vault: "0", symbols: "0" };
  expect(
    await inside(rig, "keeper", `${script}\nsay("trigger", attempt(lambda: write("/proc/sysrq-trigger", "h")))`),
  ).toEqual({
    ...same,
    ...masked,
    moved: expect.stringMatching(/^(EBUSY|EXDEV)$/),
    behind: "EBUSY",
    link: "EXDEV",
    trigger: "EROFS",
  });
  const user = await inside(rig, "prisoner", `${script}\nsay("base", attempt(lambda: write("/file")))`);
  expect(user).toMatchObject({ ...same, ...masked, sysctl: expect.stringMatching(/^(EROFS|EACCES)$/), base: "EROFS" });
});

shared("pids: no more than the limit, and the container goes on", async (rig) => {
  const script = `
import time
children = []
def fork():
    child = os.fork()
    if child == 0: time.sleep(1000)
    children.append(child)
def bomb():
    for _ in range(100): fork()
say("fork", attempt(bomb))
say("children", len(children))
for child in children: os.kill(child, 9), os.waitpid(child, 0)
`;
  const { fork, children } = await inside(rig, "prisoner", script);
  expect(fork).toBe("EAGAIN");
  expect(Number(children)).toBeLessThan(20);
  expect(await rig.runv(["exec", rig.id("prisoner"), "echo", "alive"])).toMatchObject({ stdout: "alive\n" });
});

const greedy = ["python3", "-c", "b = []\nwhile True: b.append(b'x' * (1 << 20))"];

shared("memory: the kernel ends what takes more, events tell it, and the container goes on", async (rig) => {
  const { runv, spawn, id } = rig;
  const events = spawn(["events", "--interval", "1h", id("prisoner")]);
  let told = "";
  const reading = (async () => {
    for await (const bytes of events.stdout) told += new TextDecoder().decode(bytes);
  })();
  const { code } = await runv(["exec", id("prisoner"), ...greedy]);
  expect(code).toBe(128 + 9);
  // It may have come before anybody listened.
  await until("the event is told", async () => {
    if (told !== "") return true;
    await runv(["exec", id("prisoner"), ...greedy]);
    return false;
  });
  expect(told).toContain(`{"type":"oom","id":"${id("prisoner")}"}\n`);
  events.kill();
  await Promise.all([events.exited, reading]);
  expect(await runv(["exec", id("prisoner"), "echo", "alive"])).toMatchObject({ stdout: "alive\n" });
});

runvTest("memory: a container whose first process takes more ends with 137", async ({ runv, bundle, id }) => {
  const path = await bundle({
    args: ["tail", "/dev/zero"],
    change: (config) => {
      config.linux.resources = { memory: { limit: 32 << 20, swap: 32 << 20 } };
    },
  });
  expect(await runv(["run", "-b", path, id("memory")])).toMatchObject({ code: 128 + 9, stdout: "" });
});
