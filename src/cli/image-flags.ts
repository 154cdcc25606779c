/** What `checkpoint` and `restore` have in common: runc's flags, most of which are CRIU's. */
import { resolve } from "node:path";
import { RunvError } from "../base/error";
import { assertEmptyNamespaces, noConnections, refuse } from "../container/image/refused";
import { bool, string, strings } from "./flags";

/** Those that say nothing of a whole machine are accepted: terminals, locks and sockets inside it are saved with it. */
export const imageFlags = {
  "image-path": string("path to save criu image files"),
  "work-path": string("path to save work files and logs"),
  "tcp-established": bool("allow open tcp connections"),
  "ext-unix-sk": bool("allow external unix sockets"),
  "shell-job": bool("allow shell jobs"),
  "lazy-pages": bool("use userfaultfd to lazily migrate memory pages"),
  "file-locks": bool("handle file locks, for safety"),
  "manage-cgroups-mode": string("cgroups mode: 'soft' (default), 'full' and 'strict'"),
  "empty-ns": strings("a namespace that is not to be restored"),
  "auto-dedup": bool("enable auto deduplication of memory images"),
} as const;

/** All of them that were given. */
export type ImageFlags = Readonly<Record<string, boolean | string | readonly string[] | undefined>>;

const refused = {
  "tcp-established": noConnections,
  "lazy-pages": "memory is read before the container goes on",
  "auto-dedup": "there are no images that lean on others",
} as const;

/** As runc: below the caller's directory, if none is named. */
export function imagePath(path: string | undefined): string {
  return resolve(path === undefined || path === "" ? "checkpoint" : path);
}

/** @param others further flags, with why they are refused @throws RunvError UNSUPPORTED, USAGE */
export function refuseOfImage(flags: ImageFlags, others: Readonly<Record<string, string>>): void {
  for (const [flag, why] of Object.entries({ ...refused, ...others })) {
    const value = flags[flag];
    if (value === undefined || value === false) continue;
    throw refuse(`--${flag}`, why);
  }
  const mode = flags["manage-cgroups-mode"];
  if (mode !== undefined && !["", "soft", "full", "strict", "ignore"].includes(mode as string)) {
    throw new RunvError("USAGE", "Invalid manage cgroups mode");
  }
  assertEmptyNamespaces("--empty-ns", (flags["empty-ns"] ?? []) as readonly string[]);
}
