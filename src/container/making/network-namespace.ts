/** The network namespace in which all of a container's processes on the host are: its shim, its monitor and the hypervisor. */
import { closeSync, openSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import { log } from "../../base/log";
import { isHostNamespace } from "../../linux/namespaces";
import { cutStaleCables } from "../../network/cable";
import { HostNamespace } from "../../network/host-namespace";
import type { NetworkKind } from "../../network/networks";
import { makeWithLoopback, withSocket } from "../../network/new-namespace";
import { findNamespace, type Namespace } from "../../oci/namespaces";

export class NetworkNamespace extends HostNamespace {
  /** Whose it is. */
  readonly kind: NetworkKind;

  private constructor(kind: NetworkKind, fd?: number) {
    super(fd);
    this.kind = kind;
  }

  /**
   * Makes the namespace that a configuration asks for, or opens the one that it names.
   * @throws RunvError NETWORK_NAMESPACE
   */
  static open(namespaces: readonly Namespace[]): NetworkNamespace {
    const wanted = findNamespace(namespaces, "network");
    if (wanted === undefined) return new NetworkNamespace("host");
    try {
      if (wanted.path === undefined) return new NetworkNamespace("new", makeWithLoopback());
      const fd = openSync(wanted.path, "r");
      if (!isHostNamespace(fd)) return new NetworkNamespace("given", fd);
      closeSync(fd);
      return new NetworkNamespace("host");
    } catch (cause) {
      const which =
        wanted.path === undefined ? "make a network namespace" : `open the network namespace ${wanted.path}`;
      throw new RunvError("NETWORK_NAMESPACE", `${which}: ${messageOf(cause)}`, { cause });
    }
  }

  /** That of a machine of the pool, which is new. @throws RunvError NETWORK_NAMESPACE */
  static ofMonitor(pid: number): NetworkNamespace {
    try {
      return new NetworkNamespace("new", openSync(`/proc/${pid}/ns/net`, "r"));
    } catch (cause) {
      throw new RunvError(
        "NETWORK_NAMESPACE",
        `open the network namespace of the pooled machine: ${messageOf(cause)}`,
        {
          cause,
        },
      );
    }
  }
}

/** Undoes what a machine whose monitor was killed has left in a namespace that somebody else made. */
export function clearNetwork(namespaces: readonly Namespace[]): void {
  if (findNamespace(namespaces, "network")?.path === undefined) return;
  let network: NetworkNamespace | undefined;
  try {
    network = NetworkNamespace.open(namespaces);
    if (network.kind === "given") network.enter(withSocket(cutStaleCables));
  } catch (error) {
    // Mostly the namespace has gone already, and all that was in it.
    log.debug(messageOf(error));
  } finally {
    network?.close();
  }
}
