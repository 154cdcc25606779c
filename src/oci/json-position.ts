/** Finds the first mistake in a text that a JSON parser refused. Runs only then, so it may take its time. */
import { quote } from "../base/escape";

export interface JsonMistake {
  /** From 1. */
  line: number;
  /** In characters, from 1. */
  column: number;
  problem: string;
}

const MAX_DEPTH = 500;

/** Where a text stops being JSON, and why. */
export function locateError(text: string): JsonMistake {
  const scanner = new Scanner(text);
  const problem = scanner.document() ?? "cannot be read";
  const before = text.slice(0, scanner.at);
  const line = before.split("\n").length;
  return { line, column: [...before.slice(before.lastIndexOf("\n") + 1)].length + 1, problem };
}

/** Walks over a text by RFC 8259's grammar; each method returns the mistake at `at`, if there is one. */
class Scanner {
  at = 0;
  private depth = 0;

  constructor(private readonly text: string) {}

  document(): string | undefined {
    return this.value() ?? (this.next() === "" ? undefined : this.unexpected("the end"));
  }

  private value(): string | undefined {
    const start = this.next();
    if (start === "{" || start === "[") {
      if (++this.depth > MAX_DEPTH) return "nested too deeply";
      const mistake = start === "{" ? this.members("}", () => this.member()) : this.members("]", () => this.value());
      this.depth--;
      return mistake;
    }
    if (start === '"') return this.string();
    return this.match(/(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false|null)(?![\w.])/y)
      ? undefined
      : this.unexpected("a value");
  }

  private members(end: string, member: () => string | undefined): string | undefined {
    this.at++;
    if (this.next() === end) return this.skip();
    for (;;) {
      const mistake = member();
      if (mistake !== undefined) return mistake;
      const separator = this.next();
      if (separator === end) return this.skip();
      if (separator !== ",") return this.unexpected(`"," or "${end}"`);
      this.at++;
      if (this.next() === end) return `unexpected "${end}" after a comma`;
    }
  }

  private member(): string | undefined {
    if (this.next() !== '"') return this.unexpected("a quoted name");
    const mistake = this.string();
    if (mistake !== undefined) return mistake;
    if (this.next() !== ":") return this.unexpected('":"');
    this.at++;
    return this.value();
  }

  private string(): string | undefined {
    const start = this.at++;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in a string
    this.match(/([^"\\\x00-\x1f]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y);
    const end = this.text[this.at];
    if (end === '"') return this.skip();
    if (end === "\\") return "unknown escape sequence in a string";
    if (end !== undefined && end !== "\n") return "control character in a string";
    this.at = start;
    return "string without an end";
  }

  /** The first character that is no white space; empty at the end. */
  private next(): string {
    this.match(/[ \t\r\n]*/y);
    return this.text[this.at] ?? "";
  }

  private match(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.test(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  private skip(): undefined {
    this.at++;
  }

  private unexpected(wanted: string): string {
    const word = /[\w.+-]+|./uy;
    word.lastIndex = this.at;
    const found = word.exec(this.text)?.[0];
    return `expected ${wanted}, got ${found === undefined ? "the end of the text" : quote(found.slice(0, 40))}`;
  }
}
