/** How long a shim may have neither a task nor a client; it is looked at twice in that time. */
const patienceMs = 120_000;

/**
 * Acts once nobody wants a shim any more: containerd that could not use its answer, or died before it asked for a task, neither comes back nor says so.
 * @param isWanted whether it has a task or a client now
 */
export function whenAbandoned(isWanted: () => boolean, act: () => void, patience = patienceMs): void {
  let before = true;
  const timer = setInterval(() => {
    const wanted = isWanted();
    if (wanted || before) {
      before = wanted;
      return;
    }
    clearInterval(timer);
    act();
  }, patience / 2);
  timer.unref();
}
