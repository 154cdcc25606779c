import type { ServiceError } from "@grpc/grpc-js";

/** What went wrong with a call, in the words of Go's gRPC of the time; undefined for what is no failed call. */
export function describeFailure(error: unknown): string | undefined {
  const { code, details } = error as Partial<ServiceError>;
  return typeof code !== "number" || details === undefined ? undefined : `rpc error: code = ${code} desc = ${details}`;
}
