/** What runc says first when a process does not come to be. */
export const failing = "unable to start container process";
