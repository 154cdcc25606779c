/** Which runv this is. */
import { basename } from "node:path";

/** `./build` puts these in with `bun build --define`. */
declare const RUNV_VERSION: string | undefined;
declare const RUNV_COMMIT: string | undefined;
declare const RUNV_BUILD: string | undefined;

/** What it calls itself: by a link named runc it stands in for that, whose callers look for the name. */
export const programName = basename(process.argv0) === "runc" ? "runc" : "runv";

export const version = typeof RUNV_VERSION === "string" ? RUNV_VERSION : "2.0.0-dev";

export const commit = typeof RUNV_COMMIT === "string" ? RUNV_COMMIT : "unknown";

/** Which sources it was built from, all of them: another executable of the same commit has another one. */
export const build = typeof RUNV_BUILD === "string" ? RUNV_BUILD : "unknown";

/** The version of the OCI runtime specification that is honoured. */
export const specVersion = "1.3.0";
