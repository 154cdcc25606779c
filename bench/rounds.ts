/** Runs interleaved, A B A B, so that what else happens on the machine happens to all contenders. */
import type { Contender, Samples } from "./result";

/** One of those who take turns. */
export interface Turn {
  name: Contender;
  /** How many of the rounds it takes part in: what takes seconds need not be repeated as often. All if undefined. */
  rounds?: number;
  /** Does it once. @returns the sample */
  sample(round: number): number | Promise<number>;
}

/** The round before the first is a warm-up: it is run, and not counted. */
export const warmUp = -1;

/** @returns the samples of each */
export async function interleave(rounds: number, turns: readonly Turn[]): Promise<Samples> {
  const samples: Samples = {};
  for (const { name } of turns) samples[name] = [];
  for (let round = warmUp; round < rounds; round++) {
    for (const { name, rounds: own = rounds, sample } of turns) {
      if (round >= own) continue;
      const value = await sample(round);
      if (round !== warmUp) samples[name]?.push(value);
    }
  }
  return samples;
}
