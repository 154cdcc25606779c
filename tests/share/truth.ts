/**
 * What the host and guests see of each other's changes to one volume: each row does something on both sides at once, and says what both saw. Guests are
 * Python processes that take commands, so a step is a few milliseconds.
 */
import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { SystemError, syscall } from "../../src/linux/local";

/** A process in a guest. */
export interface Guest {
  /** Evaluates an expression of Python's, or an assignment. @returns what `repr` says of it, or the name of the error */
  do(code: string): Promise<string>;
}

/** What runs in the guest: see `Guest`. */
export const program = `
import os, sys, mmap, errno, ctypes, json, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    ctypes.set_errno(0)
    return 0 if getattr(libc, name)(*args) == 0 else errno.errorcode[ctypes.get_errno()]
def read(path):
    with open(path, "rb") as f: return f.read().decode()
names = globals()
print("ready")
for line in sys.stdin:
    code = json.loads(line)
    try:
        try: result = eval(code, names)
        except SyntaxError: result = exec(code, names)
        print(json.dumps(repr(result)))
    except OSError as e: print(json.dumps(errno.errorcode.get(e.errno, str(e.errno))))
    except Exception as e: print(json.dumps(repr(e)))
`;

export interface Sides {
  /** The volume on the host. */
  host: string;
  /** Where guests have it, and the file that is mounted by itself. */
  at: string;
  one: Guest;
  two: Guest;
}

interface Row {
  what: string;
  run(sides: Sides): Promise<unknown>;
  /** What runc says. */
  truth: unknown;
  /** What docs/share.md says instead, of all kernels and of those from Linux 6.4 on. "hangs": it is not tried. */
  limit?: unknown;
  newLimit?: unknown;
}

const file = ({ host, at }: Sides, name: string) => ({ here: join(host, name), there: `${at}/${name}` });
const text = (path: string) => readFileSync(path, "utf8");
const quote = (value: string) => JSON.stringify(value);

/** What the host says of room in a file, in the guest's words. */
function allocate(path: string, mode: number): string {
  const fd = openSync(path, "r+");
  try {
    syscall("fallocate", fd, mode, 0, 4096);
    return "0";
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENOTSUP") return "'ENOTSUP'";
    throw error;
  } finally {
    closeSync(fd);
  }
}

export const rows: readonly Row[] = [
  {
    what: "a guest writes to a file that it keeps open",
    truth: "one\ntwo\n",
    async run(sides) {
      const { here, there } = file(sides, "kept");
      await sides.one.do(`f = os.open(${quote(there)}, os.O_CREAT | os.O_WRONLY)`);
      await sides.one.do(`os.write(f, b"one\\n") and os.write(f, b"two\\n")`);
      return text(here);
    },
  },
  {
    what: "the host appends, then a guest that has read the file",
    truth: "first\nhost\nguest\n",
    async run(sides) {
      const { here, there } = file(sides, "in-turn");
      writeFileSync(here, "first\n");
      await sides.one.do(`read(${quote(there)})`);
      appendFileSync(here, "host\n");
      await sides.one.do(`f = os.open(${quote(there)}, os.O_WRONLY | os.O_APPEND)`);
      await sides.one.do(`os.write(f, b"guest\\n")`);
      return text(here);
    },
  },
  {
    what: "the host appends, then a guest that has the file open for appending",
    truth: "first\nhost\nguest\nhost\nguest\n",
    async run(sides) {
      const { here, there } = file(sides, "open-append");
      writeFileSync(here, "first\n");
      await sides.one.do(`f = os.open(${quote(there)}, os.O_WRONLY | os.O_APPEND)`);
      for (let i = 0; i < 2; i++) {
        appendFileSync(here, "host\n");
        await sides.one.do(`os.write(f, b"guest\\n")`);
      }
      return text(here);
    },
  },
  {
    what: "two guests append eight lines each, in turn",
    truth: 16,
    async run(sides) {
      const { here, there } = file(sides, "two-in-turn");
      writeFileSync(here, "");
      for (const guest of [sides.one, sides.two]) {
        await guest.do(`f = os.open(${quote(there)}, os.O_WRONLY | os.O_APPEND)`);
      }
      for (let i = 0; i < 8; i++) {
        for (const guest of [sides.one, sides.two]) await guest.do(`os.write(f, b"0123456789\\n")`);
      }
      return text(here)
        .split("\n")
        .filter((line) => line === "0123456789").length;
    },
  },
  {
    what: "two guests append eight lines each, at once",
    truth: 16,
    async run(sides) {
      const { here, there } = file(sides, "two-at-once");
      writeFileSync(here, "");
      const append = `f = os.open(${quote(there)}, os.O_WRONLY | os.O_APPEND)\nfor i in range(8): os.write(f, b"0123456789\\n")`;
      await Promise.all([sides.one.do(append), sides.two.do(append)]);
      return text(here)
        .split("\n")
        .filter((line) => line === "0123456789").length;
    },
  },
  {
    what: "two threads of one guest append eight lines each, to files that each has opened",
    truth: 16,
    async run(sides) {
      const { here, there } = file(sides, "threads");
      writeFileSync(here, "");
      await sides.one.do(
        `def append():\n f = os.open(${quote(there)}, os.O_WRONLY | os.O_APPEND)\n for i in range(8): os.write(f, b"0123456789\\n")`,
      );
      await sides.one.do("threads = [threading.Thread(target=append) for i in range(2)]");
      await sides.one.do("for t in threads: t.start()");
      await sides.one.do("for t in threads: t.join()");
      return text(here)
        .split("\n")
        .filter((line) => line === "0123456789").length;
    },
  },
  {
    what: "the host appends to a file that a guest has open at its end",
    truth: ["b''", "b'host\\n'", "b'again\\n'"],
    async run(sides) {
      const { here, there } = file(sides, "tail");
      writeFileSync(here, "first\n");
      await sides.one.do(`f = os.open(${quote(there)}, os.O_RDONLY)`);
      await sides.one.do("os.read(f, 100)");
      const said = [await sides.one.do("os.read(f, 100)")];
      for (const line of ["host\n", "again\n"]) {
        appendFileSync(here, line);
        said.push(await sides.one.do("os.read(f, 100)"));
      }
      return said;
    },
  },
  {
    what: "the host writes into a file that a guest has read and has open",
    truth: ["'aaaa'", "'abba'", "b'abba'", "'abcda'"],
    async run(sides) {
      const { here, there } = file(sides, "inside");
      writeFileSync(here, "aaaa");
      const said = [await sides.one.do(`read(${quote(there)})`)];
      await sides.one.do(`f = os.open(${quote(there)}, os.O_RDONLY)`);
      writeFileSync(here, "abba");
      said.push(await sides.one.do(`read(${quote(there)})`), await sides.one.do("os.pread(f, 100, 0)"));
      writeFileSync(here, "abcda");
      said.push(await sides.one.do(`read(${quote(there)})`));
      return said;
    },
  },
  {
    what: "the host appends to, rewrites and replaces a file that is mounted by itself",
    truth: ["'one\\n'", "'one\\ntwo\\n'", "'new\\n'", "'new\\n'"],
    async run(sides) {
      const here = join(sides.host, "single");
      const said = [await sides.one.do(`read("/single")`)];
      appendFileSync(here, "two\n");
      said.push(await sides.one.do(`read("/single")`));
      writeFileSync(here, "new\n");
      said.push(await sides.one.do(`read("/single")`));
      writeFileSync(`${here}.new`, "another\n");
      renameSync(`${here}.new`, here);
      said.push(await sides.one.do(`read("/single")`));
      return said;
    },
  },
  {
    what: "host and guest write to different places of one page",
    truth: "HHHHaaaaGGGG",
    async run(sides) {
      const { here, there } = file(sides, "page");
      writeFileSync(here, "aaaaaaaaaaaa");
      await sides.one.do(`read(${quote(there)})`);
      const fd = openSync(here, "r+");
      writeSync(fd, "HHHH", 0);
      closeSync(fd);
      await sides.one.do(`f = os.open(${quote(there)}, os.O_RDWR)`);
      await sides.one.do(`os.pwrite(f, b"GGGG", 8)`);
      return text(here);
    },
  },
  {
    what: "a name is given to another file by the host, and by the other guest",
    truth: ["'old'", "'host'", "'guest'"],
    async run(sides) {
      const { here, there } = file(sides, "renamed");
      writeFileSync(here, "old");
      const said = [await sides.one.do(`read(${quote(there)})`)];
      writeFileSync(`${here}.new`, "host");
      renameSync(`${here}.new`, here);
      said.push(await sides.one.do(`read(${quote(there)})`));
      await sides.two.do(`open(${quote(`${there}.new`)}, "w").write("guest")`);
      await sides.two.do(`os.rename(${quote(`${there}.new`)}, ${quote(there)})`);
      return [...said, await sides.one.do(`read(${quote(there)})`)];
    },
  },
  {
    what: "a file that is open is replaced by a longer one",
    truth: "b'old'",
    newLimit: "hangs",
    async run(sides) {
      const { here, there } = file(sides, "replaced");
      writeFileSync(here, "old");
      await sides.one.do(`f = os.open(${quote(there)}, os.O_RDONLY)`);
      writeFileSync(`${here}.new`, "longer");
      renameSync(`${here}.new`, here);
      return await sides.one.do("os.pread(f, 100, 0)");
    },
  },
  {
    what: "files are cut by the host and by the other guest",
    truth: ["3", "'abc'", "b'abc'", "1", "'a'", "a"],
    async run(sides) {
      const { here, there } = file(sides, "cut");
      writeFileSync(here, "abcdef");
      await sides.one.do(`f = os.open(${quote(there)}, os.O_RDWR)`);
      await sides.one.do("os.pread(f, 100, 0)");
      truncateSync(here, 3);
      const said = [
        await sides.one.do(`os.stat(${quote(there)}).st_size`),
        await sides.one.do(`read(${quote(there)})`),
        await sides.one.do("os.pread(f, 100, 0)"),
      ];
      await sides.two.do(`os.truncate(${quote(there)}, 1)`);
      said.push(await sides.one.do(`os.stat(${quote(there)}).st_size`), await sides.one.do(`read(${quote(there)})`));
      return [...said, text(here)];
    },
  },
  {
    what: "a guest writes to a shared map, and writes it back",
    newLimit: ["EINVAL", "aaaaaaaa", "'aaaaaaaa'", "'aaaaaaaa'"],
    truth: ["0", "GGGGaaaa", "'GGGGaaaa'", "'GGGGaaaa'"],
    async run(sides) {
      const { here, there } = file(sides, "map");
      writeFileSync(here, "aaaaaaaa");
      const said = [
        await sides.one
          .do(`f = os.open(${quote(there)}, os.O_RDWR)\nm = mmap.mmap(f, 8)\nm[0:4] = b"GGGG"`)
          .then((error) => (error === "None" ? "0" : error)),
      ];
      await sides.one.do("m.flush()");
      said.push(text(here), await sides.one.do(`read(${quote(there)})`), await sides.two.do(`read(${quote(there)})`));
      await sides.one.do("m.close()");
      return said;
    },
  },
  {
    what: "a file is mapped that the host has changed since it was read",
    truth: ["b'aaaa'", "b'bbbb'"],
    async run(sides) {
      const { here, there } = file(sides, "mapped");
      const map = `(lambda f: (lambda m: m[0:4])(mmap.mmap(f.fileno(), 4, access=mmap.ACCESS_READ)))(open(${quote(there)}, "rb"))`;
      writeFileSync(here, "aaaa");
      const said = [await sides.one.do(map)];
      writeFileSync(here, "bbbb");
      return [...said, await sides.one.do(map)];
    },
  },
  {
    what: "times with parts of seconds, set by the host and by a guest",
    truth: ["1500000000", "1.5"],
    limit: ["1500000000", "1.0"],
    async run(sides) {
      const { here, there } = file(sides, "times");
      writeFileSync(here, "");
      utimesSync(here, 1.5, 1.5);
      const said = [await sides.one.do(`os.stat(${quote(there)}).st_mtime_ns`)];
      await sides.one.do(`os.utime(${quote(there)}, ns=(1500000000, 1500000000))`);
      return [...said, Bun.spawnSync(["stat", "-c", "%.1Y", here]).stdout.toString().trim()];
    },
  },
  {
    what: "renameat2 without replacing, to a new name and to one that is taken; with exchange",
    truth: ["0", "'EEXIST'", "0"],
    limit: ["'EINVAL'", "'EINVAL'", "'ENOENT'"],
    async run(sides) {
      const { there } = file(sides, "noreplace");
      const rename = (from: string, to: string, flags: number) =>
        sides.one.do(`call("renameat2", -100, b"${from}", -100, b"${to}", ${flags})`);
      await sides.one.do(`[open(${quote(there)} + n, "w").close() for n in "ab"]`);
      return [
        await rename(`${there}a`, `${there}c`, 1),
        await rename(`${there}b`, `${there}c`, 1),
        await rename(`${there}b`, `${there}c`, 2),
      ];
    },
  },
  {
    what: "fallocate: room, room that keeps the size, a hole, zeroes",
    truth: "as on the host",
    limit: ["None", "'ENOTSUP'", "'ENOTSUP'", "'ENOTSUP'", "8192"],
    async run(sides) {
      const { here, there } = file(sides, "room");
      const modes = [1, 3, 16];
      await sides.one.do(`f = os.open(${quote(there)}, os.O_RDWR | os.O_CREAT)`);
      const said = [await sides.one.do("os.posix_fallocate(f, 0, 8192)")];
      for (const mode of modes) {
        said.push(await sides.one.do(`call("fallocate64", f, ${mode}, ctypes.c_int64(0), ctypes.c_int64(4096))`));
      }
      said.push(await sides.one.do("os.fstat(f).st_size"));
      // tmpfs knows no zeroes, and /tmp may be one.
      const onHost = ["None", ...modes.map((mode) => allocate(here, mode)), "8192"];
      return Bun.deepEquals(said, onHost) ? "as on the host" : said;
    },
  },
];
