/** Finds kvmtool's program, and whether it can do what runv asks of it: it has had the same version, 3.18.0, for ten years. */
import { messageOf, RunvError } from "../../base/error";
import { findProgram, isProgram } from "../programs";

export const installHint =
  "no distribution has it: build it from git.kernel.org/pub/scm/linux/kernel/git/will/kvmtool.git, and put lkvm on the PATH";

/** Options that it has not always had. */
const needed = ["--vsock", "--nodefaults", "--loglevel"];

/**
 * Finds it. @param configured its path, if it is not to be looked for
 * @throws RunvError VM_LKVM_MISSING, VM_LKVM_OLD
 */
export async function findLkvm(configured: string | undefined, path?: string): Promise<string> {
  const found = configured === undefined ? findProgram("lkvm", path) : configured;
  if (found === undefined) throw new RunvError("VM_LKVM_MISSING", "no lkvm on PATH", { hint: installHint });
  if (!isProgram(found)) {
    throw new RunvError("VM_LKVM_MISSING", `no program at ${found}`, { hint: "say where lkvm is in config.toml" });
  }
  const help = await askHelp(found);
  const lacking = needed.filter((option) => !new RegExp(`^ +(-\\w, )?${option}\\b`, "m").test(help));
  if (lacking.length === 0) return found;
  const message = `${found} is too old, or no kvmtool: it has no option ${lacking.join(", ")}`;
  throw new RunvError("VM_LKVM_OLD", message, { hint: installHint });
}

/** What it says of `lkvm run`. It ends with an error when it has said so. */
async function askHelp(path: string): Promise<string> {
  try {
    const child = Bun.spawn([path, "run", "--help"], { stdio: ["ignore", "pipe", "pipe"], env: {}, timeout: 10_000 });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return `${output}\n${errors}`;
  } catch (cause) {
    throw new RunvError("VM_LKVM_MISSING", `${path} run --help: ${messageOf(cause)}`, { cause });
  }
}
