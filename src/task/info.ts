/** `containerd-shim-runv-v2 -info`: what this runtime is. */
import { commit, version } from "../base/version";
import { codec } from "./messages";

export const runtimeName = "io.containerd.runv.v2";

/** @returns the bytes of `containerd.types.RuntimeInfo` */
export function runtimeInfo(): Uint8Array {
  return codec("RuntimeInfo").encode({ name: runtimeName, version: { version, revision: commit } });
}
