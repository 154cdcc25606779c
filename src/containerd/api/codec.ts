/** Messages to bytes and back, by protobufjs without its parser and its generators. */
import protobuf from "protobufjs/light";
import { type Field, type Message, type MessageName, messages, type Received } from "./messages";

export interface Codec<N extends MessageName> {
  encode(message: Message<N>): Buffer;
  decode(bytes: Uint8Array): Received<N>;
}

let root: protobuf.Root | undefined;

/** What writes and reads the messages of a kind. */
export function codec<N extends MessageName>(name: N): Codec<N> {
  root ??= protobuf.Root.fromJSON({ nested: definitions() });
  const type = root.lookupType(name);
  return {
    encode: (message) => Buffer.from(type.encode(type.fromObject(message)).finish()),
    decode: (bytes) => type.toObject(type.decode(bytes), reading) as Received<N>,
  };
}

/** Integers of 64 bits are bigint, which protobufjs makes of them but does not say in its types. */
const reading = { longs: BigInt as unknown as StringConstructor, defaults: true, arrays: true, objects: true };

function definitions() {
  return Object.fromEntries(
    Object.entries(messages).map(([name, fields]) => [
      name,
      {
        fields: Object.fromEntries(
          Object.entries<Field>(fields).map(([field, { number, type, rule }]) => [
            field,
            { id: number, type, ...rules[rule] },
          ]),
        ),
      },
    ]),
  );
}

const rules = { one: {}, many: { rule: "repeated" }, map: { keyType: "string" } } as const;
