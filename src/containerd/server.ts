/** Serves the API on a unix socket. */
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import { type Answer, type CallName, calls, method, type Request } from "./api/service";
import type { EventLog } from "./event-log";
import { streamEvents } from "./event-stream";
import type { Handlers } from "./handlers";
import { withoutAuthority } from "./http2/connection";
import { Refusal, refusalOf, statusOf } from "./refusal";

/** Who may connect: root, and those of its group. */
const socketMode = 0o660;

export interface RunningServer {
  /** Ends all calls at once, and removes the socket. */
  stop(): void;
}

/** @throws RunvError LISTEN */
export async function serve(path: string, handlers: Handlers, events: EventLog): Promise<RunningServer> {
  const server = new Server();
  const names = Object.keys(calls) as CallName[];
  server.addService(
    Object.fromEntries(names.map((name) => [name, method(name)])),
    Object.fromEntries(names.map((name) => [name, name === "Events" ? eventsOf(events) : unary(handlers, name)])),
  );
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const open = new Set<Socket>();
  const listener = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    injector.injectConnection(withoutAuthority(socket));
  });
  rmSync(path, { force: true });
  const umask = process.umask(0o777 & ~socketMode);
  try {
    await new Promise<void>((resolve, reject) => {
      listener.on("error", reject);
      listener.listen(path, resolve);
    });
  } catch (cause) {
    throw new RunvError("LISTEN", `listen on ${path}: ${messageOf(cause)}`, { cause });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, socketMode);
  return {
    stop() {
      listener.close();
      server.forceShutdown();
      for (const socket of open) socket.destroy();
      rmSync(path, { force: true });
    },
  };
}

function unary(handlers: Handlers, name: Exclude<CallName, "Events">): UntypedServiceImplementation[string] {
  const handle = handlers[name] as (request: unknown) => Promise<Answer<CallName>>;
  return ({ request }: ServerUnaryCall<unknown, unknown>, done: sendUnaryData<unknown>) => {
    handle(request).then(
      (answer) => done(null, answer),
      (error: unknown) => done(refuse(name, error)),
    );
  };
}

function eventsOf(events: EventLog) {
  return (stream: ServerWritableStream<Request<"Events">, Answer<"Events">>) => {
    try {
      streamEvents(events, stream);
    } catch (error) {
      stream.emit("error", refuse("Events", error));
    }
  };
}

function refuse(call: CallName, error: unknown) {
  const refusal = refusalOf(error);
  log.debug(`${call}: ${refusal.message}`);
  if (error instanceof Error && !(error instanceof RunvError || error instanceof Refusal)) {
    log.debug(error.stack ?? error.message);
  }
  return statusOf(refusal);
}
