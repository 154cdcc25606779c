/**
 * The words of the runc that is installed, for what keeps a container from coming to be: callers know those of their own generation, and
 * people compare. Until 1.1 a command that is not there is `unable to start container process: exec: …`; since 1.2 there is `error during
 * container init: ` before that, in create and run, and not in exec.
 */
import { messageOf } from "../base/error";
import { failing } from "../guest/lower/failing";
import { findProgram } from "../hypervisor/programs";
import { Failure } from "./failure";

/** What a container's first process finds out itself. */
const ofInit = new RegExp(`^${failing}: (?=exec: |chdir to cwd )`);

/** Makes a container; says what failed when it throws. */
export async function orCreateFail(prefix: string, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    const said = messageOf(error);
    const message = ofInit.test(said) ? inWordsOf(runcVersion(), said) : said;
    throw new Failure(error, { prefix: `${prefix}: `, message });
  }
}

/** A message as that runc has it. @param version what it calls itself; of one that is not there, the words of 1.1 */
export function inWordsOf(version: string | undefined, message: string): string {
  const [major = 1, minor = 1] =
    /^(\d+)\.(\d+)/
      .exec(version ?? "")
      ?.slice(1)
      .map(Number) ?? [];
  const isOld = major < 1 || (major === 1 && minor < 2);
  return isOld ? message : message.replace(ofInit, `${failing}: error during container init: `);
}

function runcVersion(): string | undefined {
  const runc = findProgram("runc");
  if (runc === undefined) return undefined;
  const { stdout } = Bun.spawnSync([runc, "--version"], { stdio: ["ignore", "pipe", "ignore"], timeout: 5_000 });
  return /^runc version (\S+)/m.exec(stdout.toString())?.[1];
}
