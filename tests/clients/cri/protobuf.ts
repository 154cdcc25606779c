/** Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding), as far as CRI needs it. */

/** What a field may have: undefined and empty ones are left out, as proto3 has it; of a list each is a field. */
export type Value = string | number | Message | undefined | readonly (string | number | Message)[];

/** A message to be sent: values by the numbers of their fields. */
export interface Message {
  readonly [field: number]: Value;
}

/** A message that came: what is in each field, in its order. */
export type Fields = Map<number, (number | Uint8Array)[]>;

export function encode(message: Message): Buffer {
  const parts = Object.entries(message).flatMap(([field, value]) => {
    const values = Array.isArray(value) ? (value as readonly Value[]) : [value as Value];
    return values.flatMap((one) => encodeField(Number(field), one));
  });
  return Buffer.concat(parts);
}

function encodeField(field: number, value: Value): Buffer[] {
  if (value === undefined || value === "" || value === 0) return [];
  if (typeof value === "number") return [varint(field << 3), varint(value)];
  const bytes = typeof value === "string" ? Buffer.from(value) : encode(value as Message);
  return [varint((field << 3) | 2), varint(bytes.length), bytes];
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) | 128);
  }
}

export function decode(bytes: Uint8Array): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const number = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = number();
    const [field, type] = [key >>> 3, key & 7];
    if (type !== 0 && type !== 2) throw new Error(`field ${field} has the wire type ${type}`);
    const first = number();
    if (type === 2) at += first;
    fields.set(field, [...(fields.get(field) ?? []), type === 0 ? first : bytes.subarray(at - first, at)]);
  }
  return fields;
}

/** The text in a field; "" if it is not there. */
export function textOf(fields: Fields, field: number): string {
  return Buffer.from((fields.get(field)?.[0] as Uint8Array | undefined) ?? []).toString();
}

/** The number in a field; 0 if it is not there. */
export function numberOf(fields: Fields, field: number): number {
  return (fields.get(field)?.[0] as number | undefined) ?? 0;
}

/** The messages in a field. */
export function messagesOf(fields: Fields, field: number): Fields[] {
  return ((fields.get(field) ?? []) as Uint8Array[]).map(decode);
}
