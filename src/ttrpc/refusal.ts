/** The codes of gRPC that are used. */
export const Status = {
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  unavailable: 14,
} as const;

/** A call that fails, with the status that its caller gets. */
export class CallRefused extends Error {
  override readonly name = "CallRefused";

  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}
