import { lifecycle } from "../rows/lifecycle";
import { limits } from "../rows/limits";
import { network } from "../rows/network";
import { observe } from "../rows/observe";
import { run } from "../rows/run";
import { volumes } from "../rows/volumes";
import type { Table } from "./row";

/** All that is compared, in the matrix's order. */
export const tables: readonly Table[] = [run, lifecycle, observe, limits, volumes, network];
