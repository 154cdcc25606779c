/** What makes a machine of its own of one that was saved with a container in it. */
import { Assembler } from "../program/assembler";
import type { Program } from "../program/program";
import { type Branch, lowerBootId, lowerCgroupName, lowerNoNetwork } from "./branch";

/** Has it have its container's name, and from then on a network and a boot id of its own. Its container is still frozen. */
export function becomeRestored({ init, container, of, hiddenNic }: Omit<Branch, "hostname">): Program {
  const p = new Assembler();
  if (container !== of) lowerCgroupName(p, container, of);
  lowerNoNetwork(p, hiddenNic);
  lowerBootId(p, init);
  return p.assemble();
}
