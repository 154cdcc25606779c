/** Container ids: runtime.md, "State". */
import { RunvError } from "../base/error";

/**
 * Refuses what runc refuses: an id is a file name of letters, digits and `_ + - .`.
 * @throws RunvError ID_INVALID, in runc's words
 */
export function assertContainerId(id: string): void {
  if (id === "") throw new RunvError("ID_INVALID", "container id cannot be empty");
  if (!/^[\w+.-]+$/.test(id) || id === "." || id === "..") {
    throw new RunvError("ID_INVALID", "invalid container ID format", {
      hint: "an id is made of letters, digits and the characters _ + - .",
    });
  }
}
