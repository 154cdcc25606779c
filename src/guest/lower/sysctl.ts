/** linux.sysctl: config-linux.md, "Sysctl". */
import { sysctlFile } from "../../oci/sysctl";
import type { Assembler } from "../../program/assembler";
import { writeFile } from "../../program/files";

/**
 * Sets sysctls, while the machine's own /proc is in sight.
 * @param network those of the network namespace that the process is in, which belongs to the machine's root; or the others, which are of the
 *   container's namespaces
 */
export function lowerSysctls(p: Assembler, sysctls: Readonly<Record<string, string>>, network: boolean): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const file = sysctlFile(name);
    if (file.startsWith("net/") !== network) continue;
    p.doing(`set the sysctl ${name} to ${value}`);
    writeFile(p, `/proc/sys/${file}`, value);
  }
}
