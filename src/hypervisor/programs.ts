/** Programs of the host that a driver leans on. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** Besides PATH, which containerd and Docker may have cut short. */
const usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Finds a program. @returns its path; undefined when there is none */
export function findProgram(name: string, path = process.env.PATH ?? ""): string | undefined {
  const directories = [...path.split(delimiter).filter(isAbsolute), ...usual];
  return directories.map((directory) => join(directory, name)).find(isProgram);
}

/** Whether a file can be executed. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
