/** Machines that are copies of running ones: forked, with all that is in them, and made machines of their own. */
import { closeSync } from "node:fs";
import { span } from "../base/trace";
import { becomeBranch } from "../guest/branch";
import { connectionsOf, endConnections } from "../guest/connections";
import type { Driver, Nic } from "../hypervisor/driver";
import { F_SETFL, O_NONBLOCK, O_RDWR, SOCK_SEQPACKET } from "../linux/constants";
import { syscall } from "../linux/local";
import { socketPair } from "../linux/unix-socket";
import { planBoot } from "./boot";
import { SandboxClient } from "./client";
import { connect, follow, type Sandbox, type SandboxHandlers } from "./connect";
import type { BranchRequest } from "./messages";

/**
 * Forks a machine from one that stands still, whose container is frozen: it is so in the new one too. In the share of that is all that the other
 * one has open.
 * @returns the machine, and the handles of the processes that came with it
 * @throws RunvError VM_FORK, BRANCH_REFUSED; nothing is left behind then
 */
export async function branch(
  request: BranchRequest,
  driver: Driver,
  nic: Nic | undefined,
  directory: string,
  handlers: SandboxHandlers,
): Promise<{ sandbox: Sandbox; processes: readonly number[] }> {
  const { plan } = await planBoot(request, driver, nic, directory, handlers);
  const [connection, theirs] = socketPair(0, SOCK_SEQPACKET);
  let given = false;
  const other = await SandboxClient.connect({ unix: request.from });
  try {
    const forked = await span("fork the other machine", () => other.fork(theirs));
    const { notes, size, hello, hiddenNic, own, processes } = forked;
    syscall("fcntl", connection, F_SETFL, O_RDWR | O_NONBLOCK);
    given = true;
    const spec = { ...plan.spec, ...size, fork: { socket: connection, notes } };
    const machine = await span("hypervisor: start", () => driver.launch(spec));
    handlers.started(machine);
    try {
      // Gone or not, this one goes on.
      await span("wait for the other machine", () => other.forked().catch(() => {}));
      other.close();
      const { agent, send, guest } = await connect(machine, spec, handlers);
      guest.inherit(own);
      const { init, container, of, hostname } = request;
      // Before any of them is ended the network is gone: the others are not to hear of it.
      const [connections] = await span("guest: become a branch", () =>
        Promise.all([connectionsOf(guest), guest.call(becomeBranch({ init, container, of, hostname, hiddenNic }))]),
      );
      await endConnections(guest, connections);
      await machine.settled;
      follow(guest, plan);
      return {
        sandbox: { machine, agent, send, guest, architecture: spec.architecture, hello, hiddenNic, cloned: true },
        processes,
      };
    } catch (error) {
      await machine.kill();
      throw error;
    }
  } finally {
    other.close();
    closeSync(theirs);
    if (!given) closeSync(connection);
  }
}
