/** Finds QEMU's program and its version. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { messageOf, RunvError } from "../../base/error";
import { escapeControls } from "../../base/escape";
import { type Architecture, architecture } from "../../linux/syscalls";
import { platformOf } from "./platform";
import { atLeast, formatVersion, oldest, parseVersion, type QemuVersion } from "./version";
import { readCached, writeCached } from "./version-cache";

export interface QemuBinary {
  path: string;
  version: QemuVersion;
}

/** How a QEMU for guests of this architecture, by default this machine's, is installed. */
export function installHint(guests: Architecture = architecture): string {
  const { program, package: name, otherPackages } = platformOf(guests);
  if (guests === architecture) return `apt-get install ${name} (${otherPackages})`;
  return `apt-get install ${name} (dnf, apk: ${program})`;
}

/** Besides PATH, which containerd and Docker may have cut short. */
const usual = ["/usr/local/bin", "/usr/bin", "/bin"];
/** Where RHEL and its kin put it. */
const elsewhere = "/usr/libexec/qemu-kvm";

/**
 * Finds QEMU.
 * @param wanted the path or name of that for this machine's architecture, if the user said
 * @param guests the architecture of its guests: that for another one is looked for beside the wanted one first
 * @returns its path
 * @throws RunvError VM_QEMU_MISSING
 */
export function findQemu(wanted?: string, path = process.env.PATH ?? "", guests = architecture): string {
  if (guests !== architecture) {
    const beside = wanted !== undefined && isAbsolute(wanted) ? `${dirname(wanted)}${delimiter}` : "";
    return findByName(platformOf(guests).program, `${beside}${path}`, [], installHint(guests));
  }
  if (wanted !== undefined && isAbsolute(wanted)) {
    if (isProgram(wanted)) return wanted;
    throw new RunvError("VM_QEMU_MISSING", `no program at ${wanted}`, { hint: "say where QEMU is in config.toml" });
  }
  const name = wanted ?? platformOf(guests).program;
  return findByName(name, path, wanted === undefined ? [elsewhere] : [], installHint());
}

function findByName(name: string, path: string, others: readonly string[], hint: string): string {
  const directories = [...path.split(delimiter).filter(isAbsolute), ...usual];
  const found = [...directories.map((directory) => join(directory, name)), ...others].find(isProgram);
  if (found !== undefined) return found;
  throw new RunvError("VM_QEMU_MISSING", `no ${name} on PATH`, { hint });
}

/**
 * Finds QEMU and asks it for its version, which takes it 20 ms; so the answer is kept for as long as the file is the same.
 * @param cacheDirectory where to keep it; undefined: do not
 * @throws RunvError VM_QEMU_MISSING, VM_QEMU_START, VM_QEMU_OLD
 */
export async function identifyQemu(
  wanted?: string,
  cacheDirectory?: string,
  guests: Architecture = architecture,
): Promise<QemuBinary> {
  const path = findQemu(wanted, undefined, guests);
  const { ino, size, mtimeMs } = statSync(path);
  const key = `${path} ${ino} ${size} ${mtimeMs}`;
  const known = cacheDirectory && parseVersion(readCached(cacheDirectory, path, key) ?? "");
  if (known) return { path, version: known };
  const text = await askVersion(path);
  const version = parseVersion(text);
  if (version === undefined) {
    throw new RunvError(
      "VM_QEMU_START",
      `${path} --version: not a version of QEMU: ${escapeControls(text.slice(0, 200))}`,
    );
  }
  if (!atLeast(version, oldest)) {
    const message = `${path} is QEMU ${formatVersion(version)}, runv needs ${oldest} or later`;
    throw new RunvError("VM_QEMU_OLD", message, { hint: installHint(guests) });
  }
  if (cacheDirectory) writeCached(cacheDirectory, path, key, text);
  return { path, version };
}

async function askVersion(path: string): Promise<string> {
  try {
    const child = Bun.spawn([path, "--version"], { stdio: ["ignore", "pipe", "pipe"], timeout: 10_000 });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return output || errors;
  } catch (error) {
    throw new RunvError("VM_QEMU_START", `${path} --version: ${messageOf(error)}`, { cause: error });
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
