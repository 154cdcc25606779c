/** Makes text from elsewhere harmless: what a guest says must never drive somebody's terminal. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsafe = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Writes control characters (all but tab and newline) and those that turn text around as `\x1b` or `\u202e`. */
export function escapeControls(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}

/** The text as one quoted word, without any control character. */
export function quote(text: string): string {
  return `"${escapeControls(text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')).replaceAll("\n", "\\n").replaceAll("\t", "\\t")}"`;
}
