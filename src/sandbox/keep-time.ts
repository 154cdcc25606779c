/**
 * Keeps a guest's clock with the host's. The guest's may lose time while its hypervisor stands still (stopped, starved, its host suspended), be a little
 * fast or slow, and the host's may be set.
 */
import { messageOf } from "../base/error";
import { log } from "../base/log";
import { decodeClock, moveClock, readClock } from "../guest/clock";
import type { Guest } from "../guest/guest";

/** When the clock is looked at first, in ms. */
const firstMs = 1_000;
/** How often then: a clock that goes on by itself whatever happens, or one that loses time while its machine stands still. */
const [rarelyMs, oftenMs] = [60_000, 5_000];
const goesOn = /^(tsc|kvm-clock)/;
/** So much it may be off, in ms: less than anybody notices, more than a look is wrong by. */
const allowedMs = 10;
/** A look that took longer says little, in ms: another is taken, some times. */
const [quickMs, mostLooks] = [40, 8];

/** How often it is said that a clock was put right, in ms: what a guest says of the time fills no log. */
const saidMs = 3_600_000;

/** One look: what it took, how far the guest is behind the host, and by what it tells the time. */
interface Look {
  tookMs: number;
  behindMs: number;
  source: string;
}

/** Looks at a guest's clock from time to time, for as long as the guest is there, and puts it right. */
export function keepTime(guest: Guest, look: () => Promise<Look> = () => lookAt(guest)): void {
  let said = -saidMs;
  const again = (afterMs: number) => setTimeout(() => void check(), afterMs).unref();
  const check = async () => {
    try {
      const { behindMs, tookMs, source } = await bestLook(look);
      const byMs = correction(behindMs, tookMs);
      if (byMs !== 0) {
        await guest.call(moveClock(byMs));
        const now = performance.now();
        log[now - said < saidMs ? "debug" : "info"](`the guest's clock was put right by ${byMs.toFixed(1)} ms`);
        if (now - said >= saidMs) said = now;
      }
      again(goesOn.test(source) ? rarelyMs : oftenMs);
    } catch (error) {
      // It is ending, or has no such clock.
      log.debug(`the guest's clock is left alone: ${messageOf(error)}`);
    }
  };
  again(firstMs);
}

/** By how much a clock is to be moved, so much behind by a look that took so long; 0 when it may well be right. In ms. */
export function correction(behindMs: number, tookMs: number): number {
  return Math.abs(behindMs) > allowedMs + tookMs / 2 ? behindMs : 0;
}

/** The quickest of some looks, the first that is quick enough. A guest that has stood still meanwhile is looked at again at once. */
async function bestLook(look: () => Promise<Look>): Promise<Look> {
  let best = await look();
  for (let looks = 1; best.tookMs > quickMs && looks < mostLooks; looks++) {
    const next = await look();
    if (next.tookMs < best.tookMs) best = next;
  }
  return best;
}

async function lookAt(guest: Guest): Promise<Look> {
  const before = Date.now();
  const [began, output] = [performance.now(), await guest.call(readClock())];
  const tookMs = performance.now() - began;
  const reading = decodeClock(output);
  if (reading === undefined) throw new Error("it does not say the time");
  return { tookMs, behindMs: before + tookMs / 2 - reading.ms, source: reading.source };
}
