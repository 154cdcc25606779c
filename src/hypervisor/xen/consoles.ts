/** Which of a domain's channels the guest has as its second console, /dev/hvc1: XenStore tells. */
import { RunvError } from "../../base/error";
import { run, xl } from "./toolstack";

/** @returns the number of the channel in the domain's description @throws RunvError VM_XEN_REFUSED, VM_AGENT_CHANNEL */
export async function agentChannel(domain: string): Promise<number> {
  const id = (await xl("domid", domain)).trim();
  const channel = secondConsole(await run("xenstore-ls", "-f", `/local/domain/${id}/device/console`));
  if (channel !== undefined) return channel;
  throw new RunvError("VM_AGENT_CHANNEL", "open the agent's channel: Xen made no console for it");
}

/** Finds it in lines like `/local/domain/3/device/console/1/output = "chardev:libxl-channel1"`. */
export function secondConsole(listing: string): number | undefined {
  const found = [...listing.matchAll(/\/console\/(\d+)\/output = "chardev:libxl-channel(\d+)"/g)];
  const [first] = found
    .map(([, console, channel]) => ({ console: Number(console), channel: Number(channel) }))
    .sort((a, b) => a.console - b.console);
  return first?.channel;
}
