/** AppArmor on this host: apparmor(7), Documentation/admin-guide/LSM/apparmor.rst. */
import { existsSync, readFileSync } from "node:fs";

/** Whether the kernel has it, and it is switched on. */
export function hasAppArmor(): boolean {
  try {
    return readFileSync("/sys/module/apparmor/parameters/enabled", "latin1").startsWith("Y");
  } catch {
    return false;
  }
}

/** Where a process writes "exec PROFILE", for its next execve(2). Beside other modules AppArmor's is a file of its own, since Linux 5.8. */
export function appArmorExecFile(): string {
  const own = "/proc/self/attr/apparmor/exec";
  return existsSync(own) ? own : "/proc/self/attr/exec";
}
