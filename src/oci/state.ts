/** The state of a container: runtime.md, "State". Hooks get it on stdin, and `state` prints it with what runc adds. */

/** The specification's four, and `paused`, which runc has too. */
export type Status = "creating" | "created" | "running" | "stopped" | "paused";

/** The document that the specification defines. */
export interface State {
  ociVersion: string;
  id: string;
  status: Status;
  /** The container's process as the host sees it; needed while created or running. */
  pid?: number;
  /** Absolute. */
  bundle: string;
  annotations?: Readonly<Record<string, string>>;
}

/** What `state` and `list` tell besides. */
export interface ContainerState extends Omit<State, "pid"> {
  /** 0 once the container is stopped. */
  pid: number;
  /** Absolute. */
  rootfs: string;
  /** RFC 3339. */
  created: string;
  /** The name of the user who made it; empty when unknown. */
  owner: string;
}

/** Absent when there are none; sorted, as Go sorts a map. */
function annotationsOf({ annotations = {} }: Pick<State, "annotations">): Pick<State, "annotations"> {
  const entries = Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? {} : { annotations: Object.fromEntries(entries) };
}

/** The state as a hook reads it: one line of JSON. */
export function formatHookState({ ociVersion, id, status, pid, bundle, ...rest }: State): string {
  const running = pid === undefined || pid === 0 ? {} : { pid };
  return JSON.stringify({ ociVersion, id, status, ...running, bundle, ...annotationsOf(rest) });
}

/** The fields of `state`, in runc's order: as its JSON shows them, and each element of `list --format json`. */
export function stateFields(state: ContainerState): Record<string, unknown> {
  const { ociVersion, id, pid, status, bundle, rootfs, created, owner } = state;
  return { ociVersion, id, pid, status, bundle, rootfs, created, ...annotationsOf(state), owner };
}

/** What `runv state` prints: runc's JSON, without a newline at its end. */
export function formatState(state: ContainerState): string {
  return JSON.stringify(stateFields(state), undefined, 2);
}
