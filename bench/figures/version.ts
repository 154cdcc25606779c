/** The least that a command costs. */
import { time } from "../command";
import { runningRuntimes } from "../containers";
import { figure } from "../result";
import { interleave } from "../rounds";
import type { Measure } from "./index";

export const measureVersion: Measure = async (rig) => {
  const turns = runningRuntimes(rig).map(({ name, words }) => ({ name, sample: () => time(words("--version")) }));
  return { version: figure("--version", "ms", await interleave(rig.quick ? 10 : 40, turns)) };
};
