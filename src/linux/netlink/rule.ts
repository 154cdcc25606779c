/** The rules that choose a table of routes: RTM_*RULE, struct fib_rule_hdr. */
import { AF_INET, AF_INET6, AF_UNSPEC } from "../constants";
import {
  FRA_PRIORITY,
  FRA_PROTOCOL,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELRULE,
  RTM_GETRULE,
  RTM_NEWRULE,
} from "./constants";
import { change, decodeAttributes, dump, type NetlinkMessage, type NetlinkRequest } from "./message";
import { readU32 } from "./scalars";

export interface Rule {
  header: Uint8Array;
  attributes: ReadonlyMap<number, Uint8Array>;
}

const headerSize = 12;
/** Those that every namespace begins with: to the tables local, main and default. */
const standard = [0, 32766, 32767];

/** Asks for all rules. */
export function getRules(): NetlinkRequest {
  return dump(RTM_GETRULE, Uint8Array.of(AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
}

/** Reads a rule that somebody made; undefined for the standard ones. */
export function decodeRule({ type, body }: NetlinkMessage): Rule | undefined {
  if (type !== RTM_NEWRULE || body.length < headerSize || (body[0] !== AF_INET && body[0] !== AF_INET6))
    return undefined;
  const attributes = decodeAttributes(body, headerSize);
  attributes.delete(FRA_PROTOCOL);
  if (standard.includes(readU32(attributes.get(FRA_PRIORITY)) ?? 0)) return undefined;
  return { header: body.subarray(0, headerSize), attributes };
}

export function addRule({ header, attributes }: Rule): NetlinkRequest {
  return change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, header, [...attributes]);
}

export function deleteRule({ header, attributes }: Rule): NetlinkRequest {
  return change(RTM_DELRULE, 0, header, [...attributes]);
}
