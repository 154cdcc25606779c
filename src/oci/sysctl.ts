/** Which sysctls a container may set: those of a namespace of its own, as runc decides it. */
import type { Linux } from "./linux";
import { quote, refuse } from "./mismatch";
import type { NamespaceType } from "./namespaces";

const ipcSysctls = new Set(
  ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"].map(
    (name) => `kernel.${name}`,
  ),
);

/** Dots become slashes and slashes dots. Not by a regular expression: to compile one costs more than all of this. */
function swapSeparators(name: string): string {
  const parts = name.split(".");
  return parts.map((part) => part.replaceAll("/", ".")).join("/");
}

/** `net/ipv4/conf/eth0.1/forwarding`, which sysctl(8) takes too, with dots: `net.ipv4.conf.eth0/1.forwarding`. */
export function sysctlWithDots(name: string): string {
  const slash = name.indexOf("/");
  const dot = name.indexOf(".");
  return slash >= 0 && (dot < 0 || slash < dot) ? swapSeparators(name) : name;
}

/** The file below /proc/sys that holds a sysctl. */
export function sysctlFile(name: string): string {
  return swapSeparators(sysctlWithDots(name));
}

/** Refuses a sysctl that is not the container's own, and a name that would leave /proc/sys. */
export function checkSysctls({ sysctl, namespaces }: Linux): void {
  const own = (type: NamespaceType) => namespaces.some((namespace) => namespace.type === type);
  for (const key of Object.keys(sysctl)) {
    const wrong = complaint(key, own);
    if (wrong !== undefined) refuse(`linux.sysctl[${quote(key)}]`, wrong);
  }
}

function complaint(key: string, own: (type: NamespaceType) => boolean): string | undefined {
  const name = sysctlWithDots(key);
  const says = (wrong: string) => `sysctl ${quote(name)} ${wrong}`;
  const parts = sysctlFile(key).split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..")) return says("is not a valid name");
  if (ipcSysctls.has(name) || name.startsWith("fs.mqueue.")) {
    return own("ipc") ? undefined : says("is not allowed in the hosts ipc namespace");
  }
  if (name.startsWith("net.")) return own("network") ? undefined : says("not allowed in host network namespace");
  if (name.startsWith("user.")) {
    return own("user") ? undefined : "setting ucounts without a user namespace not allowed";
  }
  if (own("uts") && name === "kernel.domainname") return undefined;
  if (own("uts") && name === "kernel.hostname") {
    return says('is not allowed as it conflicts with the OCI "hostname" field');
  }
  return says("is not in a separate kernel namespace");
}
