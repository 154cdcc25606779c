/** Who connects to the loopback address of a container's network namespace on the host finds what listens in the container. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { Config } from "./support/bundle";
import { output } from "./support/command";
import { inNamespace, type Lab, makeLab, type Station } from "./support/lab";
import type { Rig } from "./support/rig";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

let lab: Lab;
let one: Station;
let two: Station;

/** Serves at addresses and ports with a word, what it is sent, or the sum of that: `127.0.0.1 80 word`. */
const server = `
import hashlib, socket, sys, threading
def serve(ip, port, how):
    listener = socket.create_server((ip, int(port)), family=socket.AF_INET6 if ":" in ip else socket.AF_INET, backlog=64)
    while True:
        threading.Thread(target=talk, args=(listener.accept()[0], how)).start()
def talk(connection, how):
    with connection:
        sum = hashlib.md5()
        if how not in ("echo", "sum"): connection.sendall(how.encode())
        else:
            while bytes := connection.recv(65536):
                if how == "echo": connection.sendall(bytes)
                sum.update(bytes)
            if how == "sum": connection.sendall(sum.hexdigest().encode())
    print(how, "ended", flush=True)
for words in sys.argv[1:]: threading.Thread(target=serve, args=words.split()).start()
`;

/** A container with servers, and one in the same machine that has its own network. */
const runvTest = sharedRig(
  async (rig) => {
    lab = await makeLab(rig.name);
    one = await lab.station();
    two = await lab.station();
    await start(rig, "one", one.path, ["127.0.0.1 80 one", "::1 6 six", "127.0.0.1 7 echo", "127.0.0.1 9 sum"]);
    await start(rig, "two", two.path, ["127.0.0.1 80 two"], ({ linux }) => {
      const { shim } = JSON.parse(readFileSync(`${rig.root}/${rig.id("one")}/state.json`, "utf8"));
      linux.namespaces = linux.namespaces.filter(({ type }) => type !== "ipc");
      linux.namespaces.push({ type: "ipc", path: `/proc/${shim.pid}/ns/ipc` });
    });
  },
  () => lab.remove(),
);

/** Starts a container with servers, and waits for them to listen. */
async function start(rig: Rig, suffix: string, path: string, servers: string[], change?: (config: Config) => void) {
  const bundle = await rig.bundle({
    rootfs: "debian",
    args: ["sh", "-c", 'exec python3 -c "$@" > /dev/shm/log', "sh", server, ...servers],
    change: (config) => {
      inNamespace(config, path);
      change?.(config);
    },
  });
  const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id(suffix)]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  await until(`${suffix} listens`, async () => {
    const table = await inside(rig, suffix, "cat /proc/net/tcp /proc/net/tcp6");
    return table.match(/ 0A /g)?.length === servers.length;
  });
  // It is forwarded a moment after the start.
  const forwarded = `ip netns exec ${path.slice("/run/netns/".length)} ss -ltnH`.split(" ");
  await until(`${suffix}'s loopback is forwarded`, async () => (await output(...forwarded)).includes("127.0.0.1:"));
}

async function inside({ runv, id }: Rig, suffix: string, script: string): Promise<string> {
  return (await runv(["exec", id(suffix), "sh", "-c", script])).stdout;
}

/** What a server answers that is sent nothing, or why it does not. */
const answer = ({ run }: Station, address: string) =>
  run("bash", "-c", `exec 3<> /dev/tcp/${address.replace(":", "/")}; LC_ALL=C cat <&3`).catch(
    ({ message }: Error) => message,
  );

runvTest("at 127.0.0.1, and at ::1 where nobody listens there", async () => {
  expect(await answer(one, "127.0.0.1:80")).toBe("one");
  expect(await answer(one, "127.0.0.1:6")).toBe("six");
});

runvTest("each network of a machine has its own", async () => {
  expect(await answer(two, "127.0.0.1:80")).toBe("two");
  expect(await answer(two, "127.0.0.1:7")).toMatch(/reset by peer/);
});

runvTest("where nobody listens, the connection is reset; other addresses are not concerned", async () => {
  expect(await answer(one, "127.0.0.1:81")).toMatch(/reset by peer/);
  expect(await answer(one, "127.0.0.2:80")).toMatch(/refused/);
});

runvTest("what is sent both ways at once comes back whole, and one way may end before the other", async () => {
  const send = (port: number) => `socat -t 60 - TCP:127.0.0.1:${port} < $file`;
  const script = `file=$(mktemp); head -c 8000000 /dev/urandom > $file; md5sum < $file; ${send(7)} | md5sum; ${send(9)}; rm $file`;
  const [sent, echoed, sum] = (await one.run("sh", "-c", script)).split("\n");
  expect(echoed).toBe(sent!);
  expect(`${sum}  -`).toBe(sent!);
});

runvTest("many at once", async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, () => answer(one, "127.0.0.1:80")));
  expect(answers).toEqual(Array.from({ length: 40 }, () => "one"));
});

runvTest("a client that goes takes its server with it", async (rig) => {
  const ended = async () => (await inside(rig, "one", "grep -c echo /dev/shm/log")).trim();
  const before = await ended();
  const client = Bun.spawn(["nsenter", `--net=${one.path}`, "socat", "-", "TCP:127.0.0.1:7"], {
    stdin: "pipe",
    stdout: "pipe",
  });
  client.stdin.write("word");
  await client.stdin.flush();
  expect((await client.stdout.getReader().read()).value?.length).toBe(4);
  client.kill();
  await until("its server has ended", async () => (await ended()) !== before);
});

runvTest("nothing of it stays in the namespace", async (rig) => {
  expect(await rig.runv(["delete", "--force", rig.id("two")])).toMatchObject({ code: 0, stderr: "" });
  expect(await two.run("ss", "-ltnH")).toBe("");
  expect(await answer(two, "127.0.0.1:80")).toMatch(/refused/);
});
