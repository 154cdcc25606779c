/** Which command this process is. */
import { basename } from "node:path";

/** In the environment of a process whose command line is another's: the command that it is. */
export const commandVariable = "RUNV_COMMAND";

/** The words of the command: of `runv ctr ARGS` also by a link named `runv-ctr`, and so with `runv-containerd`. */
export function commandLine(): string[] {
  const words = process.env[commandVariable]?.split(" ");
  if (words !== undefined) return words;
  const link = /^runv-(containerd|ctr)$/.exec(basename(process.argv0))?.slice(1) ?? [];
  return [...link, ...process.argv.slice(2)];
}
