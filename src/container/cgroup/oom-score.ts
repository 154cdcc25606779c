/** Whom the host's kernel is to choose when its memory runs out. */
import { readFileSync, writeFileSync } from "node:fs";
import { messageOf } from "../../base/error";
import { log } from "../../base/log";

/**
 * Gives a machine the score of its container: it has the container's memory. Its callers are daemons that are not to be chosen, which a machine would
 * otherwise be like. In one of several containers the highest score counts.
 * @param pid of the machine
 * @param score process.oomScoreAdj; undefined: the caller's, as runc has it
 * @param joined others are in the machine already
 */
export function scoreMachine(pid: number, score: number | undefined, joined: boolean): void {
  if (score === undefined) return;
  const path = `/proc/${pid}/oom_score_adj`;
  try {
    if (!joined || score > Number(readFileSync(path, "latin1"))) writeFileSync(path, String(score));
  } catch (error) {
    // Lower than it was takes CAP_SYS_RESOURCE.
    log.debug(`the machine's oom_score_adj is left as it is: ${messageOf(error)}`);
  }
}
