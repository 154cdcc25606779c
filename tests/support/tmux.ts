/** A terminal with somebody before it: a shell in tmux(1), whose screen can be read and whose keys can be pressed. */
import { command, output } from "./command";
import { until } from "./until";

export class Tmux {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** @param name of the server; carries the rig's name, so that the leak check knows it */
  static async start(name: string, rows = 24, columns = 80): Promise<Tmux> {
    const tmux = new Tmux(name);
    const size = ["-x", String(columns), "-y", String(rows)];
    await tmux.#do("-f", "/dev/null", "new-session", "-d", ...size, "env", "PS1=host$ ", "TERM=screen", "sh");
    await tmux.see(/host\$/);
    return tmux;
  }

  /** Types text, and Enter. */
  async type(text: string): Promise<void> {
    await this.#do("send-keys", "-l", text);
    await this.keys("Enter");
  }

  /** Presses keys by their names: `C-c`, `BSpace`, `Left`. */
  async keys(...names: string[]): Promise<void> {
    await this.#do("send-keys", ...names);
  }

  async resize(rows: number, columns: number): Promise<void> {
    await this.#do("resize-window", "-x", String(columns), "-y", String(rows));
  }

  async screen(): Promise<string> {
    return await output("tmux", "-L", this.#socket, "capture-pane", "-p", "-J");
  }

  async see(pattern: RegExp, milliseconds = 20_000): Promise<string> {
    let screen = "";
    try {
      return await until(
        String(pattern),
        async () => {
          screen = await this.screen();
          return pattern.test(screen) && screen;
        },
        milliseconds,
      );
    } catch (cause) {
      throw new Error(`${pattern} does not come; the screen is\n${screen}`, { cause });
    }
  }

  async clear(): Promise<void> {
    await this.#do("send-keys", "-R");
    await this.#do("clear-history");
  }

  async end(): Promise<void> {
    await this.#do("kill-server");
  }

  async #do(...words: string[]): Promise<void> {
    await command("tmux", "-L", this.#socket, ...words);
  }
}

/** The words as a shell reads them. */
export function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}
