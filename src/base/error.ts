/**
 * The one error of runv. It is made where things go wrong, carries what was being tried, and is printed once, at the
 * edge (`src/cli/main.ts`). `docs/errors.md` lists the codes.
 */
export class RunvError extends Error {
  override readonly name = "RunvError";
  /** Stable, upper-case, for scripts and the documentation: `CONFIG_INVALID`, `VM_KERNEL_SILENT`. */
  readonly code: string;
  /** What the user can do about it, when there is something to say. */
  readonly hint: string | undefined;

  /**
   * @param code stable code, listed in docs/errors.md
   * @param message what was being tried and why it failed: lower case, no full stop
   * @param options cause: the error below; hint: what to do
   */
  constructor(code: string, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** An error on its way from one process of runv's to another. */
export interface PackedError {
  code: string;
  message: string;
  hint?: string | undefined;
}

/** @param code for what is no RunvError */
export function packError(thrown: unknown, code: string): PackedError {
  if (thrown instanceof RunvError) return { code: thrown.code, message: thrown.message, hint: thrown.hint };
  return { code, message: messageOf(thrown) };
}

export function unpackError({ code, message, hint }: PackedError): RunvError {
  return new RunvError(code, message, hint === undefined ? {} : { hint });
}

/** The text of any thrown value, without a stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
