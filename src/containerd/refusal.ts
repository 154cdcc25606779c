/** What clients are told when a call fails: a status of gRPC and containerd's words, which some look for. */
import { Metadata } from "@grpc/grpc-js";
import { messageOf, RunvError } from "../base/error";

/** The codes of gRPC that are used. */
export const Status = {
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
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

export const tooSlow = () => new Refusal("events were lost: the client is too slow", Status.dataLoss);

/** In the words of mkdir(2), of which containerd's refusal came. */
export function alreadyThere(path: string): Refusal {
  return new Refusal(`mkdir ${path}: file exists`, Status.alreadyExists);
}

/**
 * The status that ends a call. @grpc/grpc-js would write blanks as `%20`, which is allowed; but clients of that time do not decode it, and
 * look for "container not found". So it is given the header as gRPC has it at its barest: only what is no ASCII is encoded, and `%`.
 */
export function statusOf({ code, message }: Refusal): { code: number; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set("grpc-message", encodeMessage(message));
  return { code, details: message, metadata };
}

function encodeMessage(message: string): string {
  return Array.from(Buffer.from(message), (byte) => {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    return isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}

/** Whatever was thrown, as the client is to see it. @param prefix what containerd put before its runtime's words */
export function refusalOf(thrown: unknown, prefix = ""): Refusal {
  if (thrown instanceof Refusal) return thrown;
  if (thrown instanceof RunvError && thrown.code === "CONTAINER_UNKNOWN") return containerNotFound();
  const hint = thrown instanceof RunvError && thrown.hint !== undefined ? ` (${thrown.hint})` : "";
  return new Refusal(`${prefix}${messageOf(thrown)}${hint}`);
}
