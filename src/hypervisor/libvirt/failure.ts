/** What virsh says when something fails, as errors with a code and what to do. */
import { RunvError } from "../../base/error";
import { escapeControls } from "../../base/escape";
import { kernelHint, kernelRefused } from "../qemu/kernel-words";

/** How Debian and its kin, Fedora and its kin call the packages. */
export const clientHint = "apt-get install libvirt-clients (dnf install libvirt-client)";
const daemonHint =
  "systemctl start libvirtd (apt-get install libvirt-daemon-system libvirt-daemon-driver-qemu, if it is not there)";

export const uriHint = "--libvirt-uri qemu:///system, or libvirt_uri in config.toml";

interface Kind {
  pattern: RegExp;
  code: string;
  hint: string;
}

/** What connecting can fail by: the first that fits. */
const connecting: readonly Kind[] = [
  {
    pattern: /authentication|access denied|permission denied|operation not permitted/i,
    code: "VM_LIBVIRT_DENIED",
    hint: "run as root: qemu:///system is what runv needs",
  },
  {
    pattern: /no connection driver|transport in URL|parse URI|URI path/i,
    code: "VM_LIBVIRT_URI",
    hint: uriHint,
  },
];

/** Why there is no connection. @param said what virsh wrote */
export function notConnected(uri: string, said: string): RunvError {
  const why = wordsOf(said);
  const kind = connecting.find(({ pattern }) => pattern.test(why));
  const message = `connect to libvirt at ${uri}: ${why || "virsh ended without a word"}`;
  if (kind === undefined) return new RunvError("VM_LIBVIRT_DAEMON", message, { hint: daemonHint });
  return new RunvError(kind.code, message, { hint: kind.hint });
}

/** Refusals that the kernel is the cause of, or that the host's configuration decides, and what to change there. */
const refusals: readonly { pattern: RegExp; hint: string; code?: string }[] = [
  { pattern: kernelRefused, hint: kernelHint, code: "VM_KERNEL_FORMAT" },
  {
    pattern: /virtlogd/,
    hint: "virtlogd must run beside libvirtd: systemctl start virtlogd.socket",
  },
  {
    pattern: /could not load kernel.*No such file/i,
    hint: "libvirtd must see the host's files: it, or its QEMU, is in a container or a mount namespace of its own",
  },
  {
    pattern: /permission denied/i,
    hint: "the user that libvirt runs QEMU as must be able to read kernel and initrd; AppArmor's or SELinux's log may tell more",
  },
  {
    pattern: /virtiofs|memfd|shared memory/i,
    hint: "libvirt 7.2 and QEMU 5.0 are the first that have what runv asks for",
  },
];

/** Why libvirt does not do what it is asked for. @param doing what that is, for the message */
export function refused(doing: string, said: string): RunvError {
  const why = wordsOf(said);
  const { hint, code = "VM_LIBVIRT_REFUSED" } = refusals.find(({ pattern }) => pattern.test(why)) ?? {};
  return new RunvError(code, `libvirt: ${doing}: ${why}`, hint === undefined ? {} : { hint });
}

/** The lines that virsh writes "error: " before, without that. */
export function wordsOf(said: string): string {
  const lines = [...said.matchAll(/^(?:virsh # )?error: (.*)$/gm)].map(([, words]) => words!.trim());
  // The second is of a history that virsh is not to keep (`environment` in virsh.ts).
  const meaningful = lines.filter(
    (line) => !/^failed to (connect to the hypervisor$|create '\/dev\/null\/)/i.test(line),
  );
  return escapeControls(meaningful.join("; "));
}
