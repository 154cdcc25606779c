/** Events: the log, sent to one client, from where it wants it. */
import type { ServerWritableStream } from "@grpc/grpc-js";
import { now } from "../base/time";
import { fromTimestamp, toTimestamp } from "../protobuf/timestamp";
import type { Answer, Request } from "./api/service";
import { fromSeconds, toSeconds } from "./api/timestamp";
import type { Event, EventLog } from "./event-log";
import { Refusal, statusOf, tooSlow } from "./refusal";

type Stream = ServerWritableStream<Request<"Events">, Answer<"Events">>;

/** Which of the two forms of times a client reads: it shows by what it asks, if it asks for a time. */
type Wire = "seconds" | "timestamp" | "both";

/**
 * Sends events as fast as the client takes them, until it goes. A slow one is served from the log later; one that is further behind
 * than the log is long is told so by the stream's end.
 * @throws Refusal
 */
export function streamEvents(log: EventLog, stream: Stream): void {
  const { seconds, storedOnly, id } = stream.request;
  const since = seconds > 0n ? fromSeconds(seconds) : fromTimestamp(stream.request.timestamp ?? {});
  const isGiven = seconds > 0n || stream.request.timestamp !== null;
  if (since === "invalid") throw new Refusal("timestamp: out of range");
  const from = isGiven ? since : undefined;
  if (storedOnly && from === undefined) {
    throw new Refusal("invalid parameter: StoredOnly cannot be specified without setting a valid Timestamp");
  }
  const wire: Wire = seconds > 0n ? "seconds" : isGiven ? "timestamp" : "both";
  const [stop, live] = [storedOnly ? log.end : Number.POSITIVE_INFINITY, log.end];
  let next = from === undefined ? log.end : log.after(from);
  let [full, saidLive, ended] = [false, wire !== "seconds", false];

  const send = () => {
    while (!full && !ended) {
      if (next >= live && !saidLive) {
        // What the old wire's clients wait for after the replay.
        saidLive = true;
        full = !stream.write({ type: "live", ...timesOf(now(), wire) });
        continue;
      }
      if (next >= stop) return finish(() => stream.end());
      if (next >= log.end) return;
      const event = log.at(next++);
      if (event === undefined) return finish(() => stream.emit("error", statusOf(tooSlow())));
      if (id === "" || event.id === id) full = !stream.write(answer(event, wire));
    }
  };
  const finish = (say: () => void) => {
    if (ended) return;
    ended = true;
    unlisten();
    say();
  };
  const unlisten = log.listen(send);
  stream.on("drain", () => {
    full = false;
    send();
  });
  for (const end of ["cancelled", "error", "close"]) stream.on(end, () => finish(() => {}));
  send();
}

function answer({ type, id, pid, status, at }: Event, wire: Wire): Answer<"Events"> {
  return { type, id, pid, status, ...timesOf(at, wire) };
}

function timesOf(at: bigint, wire: Wire): Pick<Answer<"Events">, "seconds" | "timestamp"> {
  return {
    ...(wire !== "timestamp" && { seconds: toSeconds(at) }),
    ...(wire !== "seconds" && { timestamp: toTimestamp(at) }),
  };
}
