/** What of runc's wishes for a checkpoint cannot be had where a machine is saved whole, whoever has them. */
import { RunvError } from "../../base/error";

export const noConnections = "connections with others end when a container is restored";

/** @param wish what asks for it, for errors @throws RunvError UNSUPPORTED */
export function refuse(wish: string, why: string): RunvError {
  return new RunvError("UNSUPPORTED", `${wish}: a machine is saved whole: ${why}`, { hint: "leave it out" });
}

/** @throws RunvError UNSUPPORTED for a namespace that is not made anew */
export function assertEmptyNamespaces(wish: string, namespaces: readonly string[]): void {
  const other = namespaces.find((namespace) => namespace !== "network");
  if (other === undefined) return;
  throw new RunvError("UNSUPPORTED", `${wish}: namespace ${JSON.stringify(other)} is not supported`, {
    hint: "network, which is always made anew, is",
  });
}
