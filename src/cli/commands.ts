/**
 * Every command, in the order of the help. Each is loaded when it is called for: a runtime is started five times for
 * each container, so nobody pays for what others need.
 */
import type { Command } from "./command";

type Load = () => Promise<Command>;

const table: Readonly<Record<string, Load>> = {
  spec: async () => (await import("./spec")).spec,
  features: async () => (await import("./features")).features,
  image: async () => (await import("./image")).image,
};

/** The command of that name. */
export async function findCommand(name: string): Promise<Command | undefined> {
  return Object.hasOwn(table, name) ? await table[name]!() : undefined;
}

/** All of them, for the help. */
export function allCommands(): Promise<Command[]> {
  return Promise.all(Object.values(table).map((load) => load()));
}
