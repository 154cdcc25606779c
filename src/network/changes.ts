/** What is to be done in the guest when the network changes. */
import { type LinkChange, setLink } from "../linux/netlink/link";
import { type Interface, ipv6Switch } from "./config";
import type { Item } from "./desired";
import type { Step } from "./guest-programs";

/** An interface that the guest has. */
export interface LinkPair {
  hostIndex: number;
  /** In the guest. */
  index: number;
  /** As the guest was told before; undefined when it is new. */
  before: Interface | undefined;
  after: Interface;
}

/**
 * The steps from what the guest was told to what it is to be told.
 * @param told is left as it is
 */
export function changesOf(
  told: ReadonlyMap<string, Item>,
  desired: ReadonlyMap<string, Item>,
  links: readonly LinkPair[],
): Step[] {
  const restarted = new Set(links.filter(needsRestart).map(({ hostIndex }) => hostIndex));
  const isLost = ({ interfaces }: Item) => interfaces.some((index) => restarted.has(index));
  const removed = [...told].filter(([key, item]) => !desired.has(key) && !isLost(item));
  const added = [...desired].filter(([key, item]) => !told.has(key) || isLost(item));
  return [
    ...removed
      .reverse()
      .map(([, { what, remove }]): Step => ({ doing: `remove ${what}`, request: remove, accept: gone })),
    ...outOfTheWay(links),
    ...links.flatMap(linkSteps),
    ...added.map(([, { what, add, present }]): Step => ({ doing: `add ${what}`, request: add, accept: present })),
  ];
}

/** What removing may answer when somebody else, or the kernel, was quicker. */
const gone = ["ESRCH", "ENOENT", "EADDRNOTAVAIL", "ENODEV"] as const;

/** Several new interfaces may have one another's names, which the guest's kernel gave them as they came. */
function outOfTheWay(links: readonly LinkPair[]): Step[] {
  const fresh = links.filter(({ before }) => before === undefined);
  if (fresh.length < 2) return [];
  return fresh.map(({ index, after }) => ({
    doing: `make way for the interface ${after.name}`,
    request: setLink(index, { name: `new${index}` }),
    accept: [],
  }));
}

/** Whether an interface has to be set down to be changed; then it loses its addresses and routes. */
function needsRestart({ before, after }: LinkPair): boolean {
  return before?.up === true && (before.name !== after.name || before.mac !== after.mac);
}

function linkSteps(pair: LinkPair): Step[] {
  const { index, before, after } = pair;
  const steps: Step[] = [];
  const step = (doing: string, change: LinkChange) =>
    steps.push({ doing: `${doing} the interface ${after.name}`, request: setLink(index, change), accept: [] });
  const restart = needsRestart(pair);
  if (restart) step("set down", { up: false });
  const change = {
    ...(before?.name !== after.name && { name: after.name }),
    ...(before?.mac !== after.mac && { mac: after.mac }),
    ...(before?.mtu !== after.mtu && { mtu: after.mtu }),
    ...((before?.arp ?? true) !== after.arp && { arp: after.arp }),
  };
  if (before === undefined) step("forget link-local addresses of", { noLinkLocal: true });
  if (Object.keys(change).length > 0) step("configure", change);
  if ((before?.disableIpv6 ?? false) !== after.disableIpv6 || (restart && after.disableIpv6)) {
    const text = after.disableIpv6 ? "1" : "0";
    steps.push({ doing: `switch IPv6 of the interface ${after.name}`, file: ipv6Switch(after.name), text });
  }
  if (restart || (before?.up ?? false) !== after.up) step(after.up ? "set up" : "set down", { up: after.up });
  return steps;
}
