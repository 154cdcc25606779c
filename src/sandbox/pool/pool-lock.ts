import { closeSync, mkdirSync, openSync } from "node:fs";
import { RunvError } from "../../base/error";
import { isStill, tryLock } from "../../linux/file-lock";
import { lockFile } from "./pool";

/** Whose a shape's directory is: its keeper holds the lock as long as it lives. */
export class PoolLock {
  readonly #path: string;
  readonly #fd: number;

  /**
   * Takes a shape's directory, and makes it if there is none.
   * @throws RunvError POOL_RUNNING when it is another keeper's
   */
  constructor(shape: string) {
    this.#path = `${shape}/${lockFile}`;
    for (;;) {
      mkdirSync(shape, { recursive: true, mode: 0o700 });
      this.#fd = openSync(this.#path, "w", 0o600);
      if (!tryLock(this.#fd)) {
        closeSync(this.#fd);
        throw new RunvError("POOL_RUNNING", `a pool is kept in ${shape} already`, {
          hint: "runv pool status; runv pool stop",
        });
      }
      if (this.isHeld) return;
      // Its last keeper has removed it meanwhile.
      closeSync(this.#fd);
    }
  }

  /** Whether the directory is this keeper's still: somebody may have removed it, and another keeper have made it anew. */
  get isHeld(): boolean {
    return isStill(this.#fd, this.#path);
  }
}
