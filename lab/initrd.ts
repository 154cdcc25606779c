/** The machine's initrd: busybox, a script, and the modules to reach the host's files. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { directory, file, writeCpio } from "../src/image/cpio";
import { firstModules, type LabKernel } from "./modules";

const directories = ["bin", "dev", "proc", "host", "lab", "modules", "new", "tree", "upper"];

/** @param files the directory that the machine has in place of this host's files: its busybox is one of the machine's architecture */
export async function writeInitrd(kernel: LabKernel, files = "/"): Promise<Uint8Array> {
  const modules = await firstModules(kernel);
  const names = modules.map(({ name }) => `${name}\n`).join("");
  return writeCpio([
    ...directories.map((path) => directory(path)),
    file("bin/busybox", readFileSync(busyboxIn(files)), 0o755),
    file("init", readFileSync(join(import.meta.dir, "init")), 0o755),
    file("modules/list", names),
    file("modules/directory", `${kernel.modules}\n`),
    ...modules.map(({ name, bytes }) => file(`modules/${name}.ko`, bytes)),
  ]);
}

/** A world may have none: this host's is as good where it is of its architecture. */
function busyboxIn(files: string): string {
  const own = join(files, "bin/busybox");
  return existsSync(own) ? own : "/bin/busybox";
}
