/** Where the state of containers is unless `--root` says otherwise. */
export const defaultRoot = "/run/runv";
