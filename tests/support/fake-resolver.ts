/**
 * A resolver for tests, a program of its own: `fake-resolver ADDRESS IP [UPSTREAM]` answers over UDP that every name is IP, but asks UPSTREAM for
 * names that begin with "far"; over TCP it sends back what it gets. It says "ready" when it listens.
 */
const [listen = "", ip = "", upstream] = process.argv.slice(2);
const port = 53;

const socket = await Bun.udpSocket({
  hostname: listen,
  port,
  socket: {
    async data(socket, question, fromPort, from) {
      const asked = Buffer.from(question);
      const isFar = upstream !== undefined && asked.subarray(13, 16).toString() === "far";
      socket.send(isFar ? await ask(upstream, asked) : answer(asked), fromPort, from);
    },
  },
});
Bun.listen({
  hostname: listen,
  port,
  allowHalfOpen: true,
  socket: { data: (socket, bytes) => void socket.write(bytes), end: (socket) => void socket.end() },
});
process.stdout.write("ready\n");

/** The question with one answer of type A behind it; other types have none. */
function answer(question: Buffer): Buffer {
  const end = question.indexOf(0, 12) + 5;
  const isA = question.readUInt16BE(end - 4) === 1;
  const header = Buffer.from(question.subarray(0, end));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(isA ? 1 : 0, 6);
  header.writeUInt32BE(0, 8);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...ip.split(".").map(Number)]);
  return isA ? Buffer.concat([header, record]) : header;
}

async function ask(server: string, question: Buffer): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const client = await Bun.udpSocket({
    connect: { hostname: server, port },
    socket: { data: (_, bytes) => resolve(Buffer.from(bytes)) },
  });
  client.send(question);
  const bytes = await promise;
  client.close();
  return bytes;
}

export { socket };
