/** What `features` tells: features.md of the specification. Every list comes from the table that the code works by. */
import { commit, specVersion, version } from "../base/version";
import { capabilityNames } from "./capabilities";
import { hookNames } from "./hooks";
import { mountExtensions, mountFlags, propagationFlags, recursiveAttributes, refusedOptions } from "./mount-options";
import { namespaceTypes } from "./namespaces";
import { seccompActions, seccompArchitectures, seccompFlags, seccompOperators } from "./seccomp-names";
import { isSupportedAction, isSupportedFlag } from "./unsupported";

/**
 * The features document. What a virtual machine cannot give (see unsupported.ts) is false here, not left out.
 * @param annotations what else there is to tell
 * @param can what is not the same in a machine and without one
 */
export function features(annotations: Readonly<Record<string, string>> = {}, can = { apparmor: false }) {
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: specVersion,
    hooks: hookNames,
    mountOptions: [
      ...Object.keys(mountFlags),
      ...Object.keys(propagationFlags),
      ...Object.keys(recursiveAttributes),
      ...mountExtensions,
    ]
      .filter((option) => !refusedOptions.includes(option))
      .sort(),
    linux: {
      namespaces: namespaceTypes,
      capabilities: capabilityNames,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: false },
      seccomp: {
        enabled: true,
        actions: seccompActions.filter(isSupportedAction),
        operators: seccompOperators,
        archs: seccompArchitectures,
        knownFlags: seccompFlags,
        supportedFlags: seccompFlags.filter(isSupportedFlag),
      },
      apparmor: { enabled: can.apparmor },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: false },
    },
    annotations: { "org.hyper.runv.version": version, "org.hyper.runv.commit": commit, ...annotations },
  };
}

/** What `runv features` prints: runc's indentation, without a newline at its end. */
export function formatFeatures(...what: Parameters<typeof features>): string {
  return JSON.stringify(features(...what), undefined, 4);
}
