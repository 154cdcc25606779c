import { escapeControls } from "../base/escape";

/** How much is kept of what a program writes on standard error. */
const kept = 8192;

/** Reads a program's standard error to its end. @returns the last of it, without control characters */
export async function lastWords(stream: ReadableStream<Uint8Array>): Promise<string> {
  let words = Buffer.alloc(0);
  try {
    for await (const chunk of stream) words = Buffer.concat([words, chunk]).subarray(-kept);
  } catch {
    // What came until then has to do.
  }
  return escapeControls(words.toString("utf8")).trim();
}
