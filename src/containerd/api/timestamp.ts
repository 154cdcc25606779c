/** The seconds of the API's old wire. */
import { second } from "../../base/time";

export function toSeconds(at: bigint): bigint {
  return at / second;
}

export function fromSeconds(seconds: bigint): bigint {
  return seconds * second;
}
