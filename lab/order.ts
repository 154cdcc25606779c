/** What the machine is told: the words of its kernel's command line, and files of a directory that it shares with this host. */
import { join } from "node:path";

const project = join(import.meta.dir, "..");

/** Words for the kernel. @param console where it speaks; the first serial port is the shell's */
export function commandLine(console: string): string {
  return `console=${console} loglevel=5 panic=-1 reboot=t no_timer_check cryptomgr.notests mitigations=off softlockup_panic=1 watchdog_thresh=60`;
}

/**
 * The files of the directory: `environment` is read by the shell.
 * @param hasTree there are files over this host's
 * @param layers how many directories there are in the place of this host's files
 * @param systemd it is their first process
 * @param command none for a shell
 */
export function describe(
  { kind, hasTree, layers, systemd }: { kind: string; hasTree: boolean; layers: number; systemd: boolean },
  command: readonly string[],
): Record<string, string> {
  const { columns = 80, rows = 24 } = process.stderr;
  const variables: Record<string, string> = {
    LAB: kind,
    LAB_TREE: hasTree ? "/tree" : "",
    LAB_LAYERS: Array.from({ length: layers }, (_, index) => `layer${index}`).join(" "),
    LAB_SYSTEMD: systemd ? "yes" : "",
    LAB_PROJECT: project,
    LAB_DIRECTORY: process.cwd(),
    LAB_ROWS: String(rows),
    LAB_COLUMNS: String(columns),
    PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin",
    TERM: process.env.TERM ?? "linux",
    ...own(process.env),
  };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}\n`);
  return { environment: lines.join(""), ...(command.length > 0 && { command: `${command.map(quote).join(" ")}\n` }) };
}

/** Variables that are for the tests. */
function own(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      /^(RUNV_|UPDATE_)/.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  );
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
