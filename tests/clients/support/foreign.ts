/**
 * RUNV_TEST_ARCH with an architecture that is not this machine's: Docker's rows, in which runc gets an image of this machine's architecture, and runv one
 * of the other. docs/arm64.md tells the command and what was seen.
 */
import { architecture, imageNameOf } from "../../../src/linux/syscalls";
import { testArchitecture } from "../../support/architecture";
import type { Table } from "./row";

/** The architecture; undefined where guests are of this machine's. */
export const foreign = testArchitecture() === architecture ? undefined : testArchitecture();

/** What stands for `busybox` in a row of runv's. */
export const foreignImage = "busybox-foreign";

/** As `docker run --platform` and its like. */
export const foreignPlatform = { DOCKER_DEFAULT_PLATFORM: `linux/${imageNameOf(foreign ?? architecture)}` };

/** Whether a table is of Docker's, and its containers' programs those of the image and not this machine's. */
export function hasForeign({ client, title }: Table): boolean {
  return client === "docker" && title !== "containers that do a system's work";
}
