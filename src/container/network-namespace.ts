/** The network namespace in which all of a container's processes on the host are: its shim, its monitor and the hypervisor. */
import { closeSync, openSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import { inNetworkNamespace, isHostNamespace } from "../linux/namespaces";
import { cutStaleCables } from "../network/cable";
import { makeWithLoopback, withSocket } from "../network/new-namespace";
import { findNamespace, type Namespace } from "../oci/namespaces";

export class NetworkNamespace {
  readonly #fd: number | undefined;
  #open = true;

  private constructor(fd: number | undefined) {
    this.#fd = fd;
  }

  /**
   * Makes the namespace that a configuration asks for, or opens the one that it names.
   * @throws RunvError NETWORK_NAMESPACE
   */
  static open(namespaces: readonly Namespace[]): NetworkNamespace {
    const wanted = findNamespace(namespaces, "network");
    if (wanted === undefined) return new NetworkNamespace(undefined);
    try {
      if (wanted.path === undefined) return new NetworkNamespace(makeWithLoopback());
      const fd = openSync(wanted.path, "r");
      if (!isHostNamespace(fd)) return new NetworkNamespace(fd);
      closeSync(fd);
      return new NetworkNamespace(undefined);
    } catch (cause) {
      const which =
        wanted.path === undefined ? "make a network namespace" : `open the network namespace ${wanted.path}`;
      throw new RunvError("NETWORK_NAMESPACE", `${which}: ${messageOf(cause)}`, { cause });
    }
  }

  /** That of a machine of the pool, which is new. @throws RunvError NETWORK_NAMESPACE */
  static ofMonitor(pid: number): NetworkNamespace {
    try {
      return new NetworkNamespace(openSync(`/proc/${pid}/ns/net`, "r"));
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

  /** The descriptor of one to give to the machine. */
  get fd(): number | undefined {
    return this.#fd;
  }

  /** Whether it is one to give to the machine, or the host's own. */
  get kind(): "namespace" | "host" {
    return this.#fd === undefined ? "host" : "namespace";
  }

  /** Starts something in it: what `action` does before its first `await`. */
  enter<T>(action: () => T): T {
    return this.#fd === undefined ? action() : inNetworkNamespace(this.#fd, action);
  }

  /** Lets go of it: it lives on with the processes in it. */
  close(): void {
    if (this.#fd !== undefined && this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}

/** Undoes what a machine whose monitor was killed has left in a namespace that somebody else made. */
export function clearNetwork(namespaces: readonly Namespace[]): void {
  if (findNamespace(namespaces, "network")?.path === undefined) return;
  let network: NetworkNamespace | undefined;
  try {
    network = NetworkNamespace.open(namespaces);
    if (network.kind === "namespace") network.enter(withSocket(cutStaleCables));
  } catch (error) {
    // Mostly the namespace has gone already, and all that was in it.
    log.debug(messageOf(error));
  } finally {
    network?.close();
  }
}
