/** What a client mounts for a container's /dev/shm, or a pod's, is memory of the machine's: shared there, and as memory is. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Config } from "./support/bundle";
import { command } from "./support/command";
import { type Rig, runvTest } from "./support/rig";
import type { RootfsKind } from "./support/rootfs";

/** Mounts what podman, CRI and Docker mount for a container or a pod, and unmounts it afterwards. */
async function withShm(rig: Rig, names: readonly string[], body: (paths: string[]) => Promise<void>): Promise<void> {
  const paths = names.map((name) => join(rig.directory, name));
  for (const path of paths) mkdirSync(path);
  const mounted: string[] = [];
  try {
    for (const path of paths) {
      await command("mount", "-t", "tmpfs", "-o", "nosuid,noexec,nodev,mode=1777,size=3m", "shm", path);
      mounted.push(path);
    }
    await body(paths);
  } finally {
    for (const path of mounted) await command("umount", path);
  }
}

const onShm =
  (source: string, ...options: string[]) =>
  (config: Config) => {
    config.mounts = config.mounts.filter(({ destination }) => destination !== "/dev/shm");
    config.mounts.push({ type: "bind", source, destination: "/dev/shm", options: ["rbind", ...options] });
  };

/** Has a container join the IPC namespace of another, and so its machine, as Docker, podman and CRI do. */
const joining = ({ root, id }: Rig, suffix: string) => {
  const { shim } = JSON.parse(readFileSync(join(root, id(suffix), "state.json"), "utf8"));
  return ({ linux }: Config) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== "ipc");
    linux.namespaces.push({ type: "ipc", path: `/proc/${shim.pid}/ns/ipc` });
  };
};

async function start(rig: Rig, suffix: string, rootfs: RootfsKind, ...changes: ((config: Config) => void)[]) {
  const change = (config: Config) => {
    for (const each of changes) each(config);
  };
  const bundle = await rig.bundle({ rootfs, args: ["sleep", "1000"], change });
  const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id(suffix)]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

async function inside({ runv, id }: Rig, suffix: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await runv(["exec", id(suffix), "sh", "-c", script]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const remove = async ({ runv, id }: Rig, suffix: string) =>
  expect((await runv(["delete", "--force", id(suffix)])).code).toBe(0);

/** An unlinked segment, a file without a name, what Python makes of shm_open(3) and sem_open(3). */
const program = `
import mmap, os, multiprocessing
from multiprocessing import shared_memory
fd = os.open("/dev/shm/segment", os.O_RDWR | os.O_CREAT | os.O_EXCL)
os.unlink("/dev/shm/segment")
os.ftruncate(fd, 1 << 20)
with mmap.mmap(fd, 1 << 20) as memory:
  if os.fork() == 0:
    memory[5:9] = b"told"
    os._exit(0)
  os.wait()
  print(memory[5:9], os.fstat(fd).st_size)
fd = os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR)
os.ftruncate(fd, 4096)
print(len(mmap.mmap(fd, 4096)))
block = shared_memory.SharedMemory(create=True, size=10)
again = shared_memory.SharedMemory(name=block.name)
block.buf[0] = 7
print(again.buf[0])
again.close(); block.close(); block.unlink()
value = multiprocessing.Value("i", 1)
def add():
  with value.get_lock(): value.value += 1
all = [multiprocessing.Process(target=add) for _ in range(3)]
for one in all: one.start()
for one in all: one.join()
print(value.value)
`;

runvTest(
  "segments, semaphores and files without names; the size, the mode and the flags that were asked for",
  async (rig) => {
    await withShm(rig, ["shm"], async ([shm = ""]) => {
      writeFileSync(join(shm, "before"), "from the host\n", { mode: 0o640 });
      const script = join(shm, "program.py");
      writeFileSync(script, program);
      await start(rig, "one", "debian", onShm(shm));
      expect(await inside(rig, "one", "python3 /dev/shm/program.py")).toBe("b'told' 1048576\n4096\n7\n4\n");
      expect(await inside(rig, "one", "cat /dev/shm/before; stat -c '%a %n' /dev/shm /dev/shm/before")).toBe(
        "from the host\n1777 /dev/shm\n640 /dev/shm/before\n",
      );
      expect(await inside(rig, "one", "grep ' /dev/shm ' /proc/mounts")).toMatch(
        /^shm \/dev\/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=3072k/,
      );
      expect(await inside(rig, "one", "dd if=/dev/zero of=/dev/shm/full bs=1M count=9 2>&1 | head -1")).toContain(
        "No space left",
      );
      expect(readdirSync(shm).sort()).toEqual(["before", "program.py"]);
      await remove(rig, "one");
    });
  },
);

runvTest("containers of a machine share what they bind, and nothing else; read-only stays read-only", async (rig) => {
  await withShm(rig, ["shm", "other"], async ([shm = "", other = ""]) => {
    await start(rig, "one", "busybox", onShm(shm));
    await inside(rig, "one", "echo seen > /dev/shm/file");
    await start(rig, "two", "busybox", onShm(shm), joining(rig, "one"));
    await start(rig, "read", "busybox", onShm(shm, "ro"), joining(rig, "one"));
    await start(rig, "else", "busybox", onShm(other), joining(rig, "one"));
    expect(await inside(rig, "two", "cat /dev/shm/file; echo back > /dev/shm/file")).toBe("seen\n");
    expect(await inside(rig, "read", "cat /dev/shm/file; echo x 2>&1 > /dev/shm/file || :")).toMatch(
      /^back\n.*Read-only/,
    );
    expect(await inside(rig, "else", "ls /dev/shm; echo mine > /dev/shm/file")).toBe("");
    // A container that goes takes along what is its alone.
    for (const suffix of ["two", "read", "else"]) await remove(rig, suffix);
    expect(await inside(rig, "one", "cat /dev/shm/file")).toBe("back\n");
    await start(rig, "again", "busybox", onShm(other), joining(rig, "one"));
    expect(await inside(rig, "again", "ls /dev/shm")).toBe("");
    for (const suffix of ["one", "again"]) await remove(rig, suffix);
  });
});

runvTest("the host's own /dev/shm, and what is no tmpfs, stay the host's", async (rig) => {
  const file = `/dev/shm/${basename(rig.directory)}`;
  const plain = join(rig.directory, "plain");
  mkdirSync(plain);
  try {
    writeFileSync(file, "host\n");
    await start(rig, "host", "busybox", onShm("/dev/shm"));
    expect(await inside(rig, "host", `cat ${file}; echo guest > ${file}`)).toBe("host\n");
    expect(readFileSync(file, "utf8")).toBe("guest\n");
    await remove(rig, "host");
    await start(rig, "plain", "busybox", onShm(plain));
    await inside(rig, "plain", "echo kept > /dev/shm/file");
    await remove(rig, "plain");
    expect(readFileSync(join(plain, "file"), "utf8")).toBe("kept\n");
  } finally {
    if (existsSync(file)) rmSync(file);
  }
});
