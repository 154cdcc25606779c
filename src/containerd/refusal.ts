/** What clients are told when a call fails: a status of gRPC and containerd's words, which some look for. */
import { messageOf, RunvError } from "../base/error";

/** The codes of gRPC that are used. */
export const Status = {
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  unimplemented: 12,
  dataLoss: 15,
} as const;

/** A call that is refused. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    message: string,
    readonly code: number = Status.unknown,
  ) {
    super(message);
  }
}

export const containerNotFound = () => new Refusal("containerd: container not found");
export const processNotFound = () => new Refusal("containerd: process not found for container");
export const processFinished = () => new Refusal("os: process already finished");

/** In the words of mkdir(2), of which containerd's refusal came. */
export function alreadyThere(path: string): Refusal {
  return new Refusal(`mkdir ${path}: file exists`, Status.alreadyExists);
}

/** Whatever was thrown, as the client is to see it. @param prefix what containerd put before its runtime's words */
export function refusalOf(thrown: unknown, prefix = ""): Refusal {
  if (thrown instanceof Refusal) return thrown;
  if (thrown instanceof RunvError && thrown.code === "CONTAINER_UNKNOWN") return containerNotFound();
  const hint = thrown instanceof RunvError && thrown.hint !== undefined ? ` (${thrown.hint})` : "";
  return new Refusal(`${prefix}${messageOf(thrown)}${hint}`);
}
