/** What containerd is told when a call fails: a code of gRPC, by which it decides, and words, in which clients look. */
import { messageOf, RunvError } from "../base/error";
import { CallRefused, Status } from "../ttrpc/refusal";

const codes: Readonly<Record<string, number>> = {
  CONTAINER_UNKNOWN: Status.notFound,
  CONTAINER_EXISTS: Status.alreadyExists,
  CONTAINER_STATE: Status.failedPrecondition,
  CONTAINER_NOT_RUNNING: Status.failedPrecondition,
  CONTAINER_PAUSED: Status.failedPrecondition,
  CHECKPOINT_REFUSED: Status.failedPrecondition,
  CHECKPOINT_DIFFERS: Status.failedPrecondition,
  CHECKPOINT_MISSING: Status.notFound,
  UNSUPPORTED: Status.unimplemented,
};

export const noTask = () => new CallRefused(Status.notFound, "container not created");
export const noProcess = (id: string) => new CallRefused(Status.notFound, `process does not exist ${id}`);
export const finished = () => new CallRefused(Status.notFound, "process already finished");
export const wrongState = (why: string) => new CallRefused(Status.failedPrecondition, why);
export const invalid = (what: string) => new CallRefused(Status.invalidArgument, what);

/** Whatever was thrown. */
export function refusalOf(thrown: unknown): unknown {
  if (!(thrown instanceof RunvError)) return thrown;
  const hint = thrown.hint === undefined ? "" : ` (${thrown.hint})`;
  return new CallRefused(codes[thrown.code] ?? Status.unknown, `${messageOf(thrown)}${hint}`);
}
