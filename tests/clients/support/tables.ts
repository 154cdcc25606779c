import { containerd, ownShim } from "../rows/containerd";
import { cri, criByOwnShim } from "../rows/cri";
import { lifecycle } from "../rows/lifecycle";
import { limits } from "../rows/limits";
import { network } from "../rows/network";
import { observe } from "../rows/observe";
import { podOptions, podOptionsByOwnShim } from "../rows/pod-options";
import { podman } from "../rows/podman";
import { pods } from "../rows/pods";
import { run } from "../rows/run";
import { swarm } from "../rows/swarm";
import { systems } from "../rows/systems";
import { volumes } from "../rows/volumes";
import type { Table } from "./row";

/** All that is compared, in the matrix's order. */
export const tables: readonly Table[] = [
  run,
  lifecycle,
  observe,
  limits,
  volumes,
  network,
  systems,
  podman,
  pods,
  containerd,
  ownShim,
  cri,
  criByOwnShim,
  podOptions,
  podOptionsByOwnShim,
  swarm,
];
