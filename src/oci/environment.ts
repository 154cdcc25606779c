/** Environments: lists of `NAME=value`, as environ(7) has them. */

const nameOf = (entry: string): string => entry.slice(0, entry.indexOf("="));

/** Of each name the last entry, where it is: getenv(3) would find the first, and who asks a list for more means to change it. */
export function lastOfEach(env: readonly string[]): string[] {
  const last = new Map(env.map((entry, index) => [nameOf(entry), index]));
  return env.filter((entry, index) => last.get(nameOf(entry)) === index);
}

/** What is wrong with an entry; undefined if nothing is. */
export function environmentProblem(entry: string): string | undefined {
  const equals = entry.indexOf("=");
  if (equals < 0) return "invalid environment variable: missing '='";
  return equals === 0 ? "invalid environment variable: name cannot be empty" : undefined;
}
