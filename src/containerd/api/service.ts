/** The calls of the API, as @grpc/grpc-js wants them told. */
import type { MethodDefinition } from "@grpc/grpc-js";
import { codec } from "./codec";
import type { Message, MessageName, Received } from "./messages";

interface Call<Q extends MessageName, A extends MessageName> {
  path: string;
  request: Q;
  answer: A;
  /** The answer is a stream. */
  stream: boolean;
}

function call<const Q extends MessageName, const A extends MessageName>(
  path: string,
  request: Q,
  answer: A,
  stream = false,
): Call<Q, A> {
  return { path, request, answer, stream };
}

/** By their names, each with what it takes and what it answers. */
export const calls = {
  GetServerVersion: call("/types.API/GetServerVersion", "GetServerVersionRequest", "GetServerVersionResponse"),
  CreateContainer: call("/types.API/CreateContainer", "CreateContainerRequest", "CreateContainerResponse"),
  UpdateContainer: call("/types.API/UpdateContainer", "UpdateContainerRequest", "UpdateContainerResponse"),
  Signal: call("/types.API/Signal", "SignalRequest", "SignalResponse"),
  UpdateProcess: call("/types.API/UpdateProcess", "UpdateProcessRequest", "UpdateProcessResponse"),
  AddProcess: call("/types.API/AddProcess", "AddProcessRequest", "AddProcessResponse"),
  CreateCheckpoint: call("/types.API/CreateCheckpoint", "CreateCheckpointRequest", "CreateCheckpointResponse"),
  DeleteCheckpoint: call("/types.API/DeleteCheckpoint", "DeleteCheckpointRequest", "DeleteCheckpointResponse"),
  ListCheckpoint: call("/types.API/ListCheckpoint", "ListCheckpointRequest", "ListCheckpointResponse"),
  State: call("/types.API/State", "StateRequest", "StateResponse"),
  Events: call("/types.API/Events", "EventsRequest", "Event", true),
  Stats: call("/types.API/Stats", "StatsRequest", "StatsResponse"),
  Check: call("/grpc.health.v1.Health/Check", "HealthCheckRequest", "HealthCheckResponse"),
} as const;

export type CallName = keyof typeof calls;
export type Asked<N extends CallName> = Message<(typeof calls)[N]["request"]>;
export type Request<N extends CallName> = Received<(typeof calls)[N]["request"]>;
export type Answer<N extends CallName> = Message<(typeof calls)[N]["answer"]>;
export type Answered<N extends CallName> = Received<(typeof calls)[N]["answer"]>;

/** The definition of a call. */
export function method<N extends CallName>(name: N): MethodDefinition<unknown, unknown> {
  const { path, request, answer, stream } = calls[name];
  const [asking, answering] = [codec(request as MessageName), codec(answer as MessageName)];
  return {
    path,
    requestStream: false,
    responseStream: stream,
    requestSerialize: (message) => asking.encode(message as Message<MessageName>),
    requestDeserialize: (bytes) => asking.decode(bytes),
    responseSerialize: (message) => answering.encode(message as Message<MessageName>),
    responseDeserialize: (bytes) => answering.decode(bytes),
  };
}
