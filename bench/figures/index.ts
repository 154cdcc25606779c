/** All that can be measured, by name. */
import type { Figures } from "../result";
import type { Rig } from "../rig";
import { measureBoot } from "./boot";
import { measureBranch } from "./branch";
import { measureContainerd } from "./containerd";
import { measureExec } from "./exec";
import { measureIdle } from "./idle";
import { measureJobs } from "./jobs";
import { measureMany } from "./many";
import { measureNetwork } from "./network";
import { measurePrograms } from "./programs";
import { measureRun } from "./run";
import { measureShare } from "./share";
import { measureStages } from "./stages";
import { measureStdio } from "./stdio";
import { measureVersion } from "./version";

/** Measures one subject; it may be a table's line or several. */
export type Measure = (rig: Rig) => Promise<Figures>;

export const measures: Record<string, Measure> = {
  run: measureRun,
  stages: measureStages,
  exec: measureExec,
  programs: measurePrograms,
  version: measureVersion,
  idle: measureIdle,
  stdio: measureStdio,
  share: measureShare,
  jobs: measureJobs,
  boot: measureBoot,
  many: measureMany,
  branch: measureBranch,
  network: measureNetwork,
  containerd: measureContainerd,
};
