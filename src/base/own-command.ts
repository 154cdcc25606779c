/** Which command this process is. */
import { basename } from "node:path";

/** In the environment of a process whose command line is another's: the command that it is. */
export const commandVariable = "RUNV_COMMAND";

/** The links that are commands: `runv-ctr ARGS` is `runv ctr ARGS`. */
const links: Readonly<Record<string, string>> = {
  "runv-containerd": "containerd",
  "runv-ctr": "ctr",
  "containerd-shim-runv-v2": "containerd-shim",
};

/** The words of the command, which the program's name may tell. */
export function commandLine(): string[] {
  const words = process.env[commandVariable]?.split(" ");
  if (words !== undefined) return words;
  const name = basename(process.argv0);
  return [...(Object.hasOwn(links, name) ? [links[name]!] : []), ...process.argv.slice(2)];
}
