/** The container's cgroup in the guest, which has cgroup v2 (Documentation/admin-guide/cgroup-v2.rst). */
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../../linux/constants";
import type { Resources } from "../../oci/resources";
import type { Assembler } from "../../program/assembler";
import { close, writeText } from "../../program/files";
import { cgroupPath } from "../places";
import { lowerDeviceFilter } from "./device-filter";
import { cgroupFiles } from "./resources";

/** The directory of a container's cgroup in the guest. */
export function cgroupOf(id: string): string {
  return `${cgroupPath}/${id}`;
}

/** Makes the container's cgroup with its limits and its devices. */
export function lowerCgroup(p: Assembler, id: string, resources: Resources | undefined): void {
  p.doing("make the container's cgroup");
  p.syscall("mkdirat", [AT_FDCWD, p.text(cgroupOf(id)), 0o755]);
  if (resources !== undefined) lowerResources(p, id, resources);
  lowerDeviceFilter(p, cgroupOf(id), resources?.devices ?? []);
}

/** Sets the limits of a container's cgroup. @throws RunvError CONFIG_INVALID when they contradict each other */
function lowerResources(p: Assembler, id: string, resources: Resources): void {
  for (const { file, value, accept = [] } of cgroupFiles(resources)) {
    p.doing(`set ${file} of the container's cgroup to ${JSON.stringify(value)}`);
    const missing = p.label();
    const path = p.text(`${cgroupOf(id)}/${file}`);
    const absent = accept.includes("ENOENT") ? { accept: ["ENOENT"] as const, otherwise: missing } : {};
    const fd = p.value("openat", [AT_FDCWD, path, O_WRONLY | O_CLOEXEC], absent);
    writeText(p, fd, value, { accept });
    close(p, fd);
    p.place(missing);
  }
}
