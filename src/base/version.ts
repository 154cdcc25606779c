/** Which runv this is. `./build` puts the first two in with `bun build --define`. */
declare const RUNV_VERSION: string | undefined;
declare const RUNV_COMMIT: string | undefined;

export const version = typeof RUNV_VERSION === "string" ? RUNV_VERSION : "2.0.0-dev";

export const commit = typeof RUNV_COMMIT === "string" ? RUNV_COMMIT : "unknown";

/** The version of the OCI runtime specification that is honoured. */
export const specVersion = "1.2.0";
