/** When a process that was started is no longer busy with it, in milliseconds. */
const settledMs = 10_000;

/**
 * Gives memory back that a process needed to get going, once it has: for one that then mostly waits, of which there are many. Saves a
 * monitor and its shim together 1.2 MB of 12 (Anonymous of smaps_rollup, proc_pid_smaps(5)).
 */
export function trimWhenSettled(): void {
  const trim = () => {
    Bun.gc(true);
    Bun.shrink();
  };
  setTimeout(trim, settledMs).unref();
}
