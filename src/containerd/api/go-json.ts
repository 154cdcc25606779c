/** JSON as Go's encoding/json makes it of a message: fields in the order of their declaration, without what is zero or empty. */
import { stringifyExactly } from "../../base/exact-json";
import type { Field } from "../../protobuf/fields";
import { isMessageName, type Message, type MessageName, messages, type Received } from "./messages";

export function goJson<N extends MessageName>(name: N, message: Message<N> | Received<N>): string {
  return stringifyExactly(plain(name, message));
}

function plain(name: MessageName, message: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, field] of Object.entries<Field>(messages[name])) {
    const value = message[key];
    // The old wire's times, of which clients of the newer one know nothing.
    if (key === "seconds" && name !== "Timestamp") continue;
    const made = value === undefined || value === null ? undefined : fieldValue(field, value);
    if (made !== undefined) out[key] = made;
  }
  return out;
}

/** Undefined for what Go leaves out. */
function fieldValue({ type, rule }: Field, value: unknown): unknown {
  const of = (item: unknown) => (isMessageName(type) ? plain(type, item as Record<string, unknown>) : item);
  if (rule === "many") {
    const items = value as readonly unknown[];
    return items.length === 0 ? undefined : items.map(of);
  }
  if (rule === "map") {
    const entries = Object.entries(value as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.length === 0 ? undefined : Object.fromEntries(entries.map(([key, item]) => [key, of(item)]));
  }
  return isMessageName(type) || isSet(value) ? of(value) : undefined;
}

function isSet(value: unknown): boolean {
  return value !== "" && value !== false && value !== 0 && value !== 0n;
}
