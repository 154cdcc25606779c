/**
 * A domain is no process of this host's, and lives on when who created it dies. A small process waits for that: the other end of its standard
 * input is held by the monitor alone, and closes with it, whatever ends it.
 */
import { find } from "./toolstack";

export interface Guard {
  /** Destroys the domain, if it is still there, and fulfils when it is gone. */
  destroy(): Promise<void>;
}

const script = 'read -r end; exec "$0" destroy "$1" >/dev/null 2>&1';

/** Starts the guard of a domain that is about to be created. */
export function guard(name: string): Guard {
  const child = Bun.spawn(["/bin/sh", "-c", script, find("xl"), name], {
    stdio: ["pipe", "ignore", "ignore"],
    // A signal for the monitor's group is not for it.
    detached: true,
    cwd: "/",
  });
  return {
    async destroy() {
      await child.stdin.end();
      await child.exited;
    },
  };
}
