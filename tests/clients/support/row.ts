/** A row of the matrix: a script, run with runc and with runv, whose outcomes are to be the same. */

export interface Row {
  /** What is shown in the matrix: the client's command, in short. */
  name: string;
  /** A shell script. $RT is the runtime's name, $N a name that is the run's own. */
  script: string;
  /** The exit code that runc gives, or those that it gives with one client's version and another; 0 if undefined. */
  code?: number | readonly number[];
  /** What must be in what runc says, so that a row cannot pass because it does nothing. */
  says?: string | RegExp;
  /** Why runv differs. Without it the two outcomes must be the same. */
  differs?: string;
  /** Why it differs where runv's guests are of another architecture (foreign.ts). */
  differsForeign?: string;
  /** What the host's kernel has not, and the guest's has: runv differs there, and on no other host. */
  host?: string;
  /** Why neither works on this machine, with runc either. */
  machine?: string;
  /** With one runtime after the other: both would make what the machine has one of. */
  alone?: boolean;
  /** It starts a whole system: it may take minutes on a busy machine. */
  slow?: boolean;
}

/** Rows of one subject. */
export interface Table {
  client: string;
  title: string;
  rows: Row[];
  /** Run one after the other: they change what they share. */
  alone?: boolean;
}

/** A table of rows written as [name, script, what must be said, further properties]. */
export function table(
  client: string,
  title: string,
  rows: readonly (readonly [string, string, (string | RegExp | undefined)?, Partial<Row>?])[],
): Table {
  return {
    client,
    title,
    rows: rows.map(([name, script, says, more]) => ({ name, script, ...(says !== undefined && { says }), ...more })),
  };
}
