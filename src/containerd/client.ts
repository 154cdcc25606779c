/** A client of the API. */
import { Client, type ClientReadableStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { RunvError } from "../base/error";
import { type Answered, type Asked, type CallName, method } from "./api/service";

export type EventsReader = ClientReadableStream<Answered<"Events">>;

export class ApiClient {
  readonly #client: Client;

  /** @param path of the socket */
  constructor(path: string) {
    this.#client = new Client(`unix://${path}`, credentials.createInsecure());
  }

  /** Waits until the daemon answers. @throws RunvError DAEMON_UNREACHABLE */
  async connect(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#client.waitForReady(Date.now() + milliseconds, (error) => {
        if (error === undefined) resolve();
        else reject(new RunvError("DAEMON_UNREACHABLE", "grpc: timed out trying to connect", { cause: error }));
      });
    });
  }

  /** Makes a call. @throws ServiceError */
  call<N extends Exclude<CallName, "Events">>(name: N, request: Asked<N>): Promise<Answered<N>> {
    const { path, requestSerialize, responseDeserialize } = method(name);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        (error: ServiceError | null, answer?: unknown) => {
          if (error === null) resolve(answer as Answered<N>);
          else reject(error);
        },
      );
    });
  }

  /** Follows events. */
  events(request: Asked<"Events">): EventsReader {
    const { path, requestSerialize, responseDeserialize } = method("Events");
    return this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Answered<"Events">,
      request,
    );
  }

  close(): void {
    this.#client.close();
  }
}
