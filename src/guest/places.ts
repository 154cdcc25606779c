/** Where the guest mounts what the host shares with it. */
export const sharePath = "/run/share";
/** An empty directory on which a container's root file system is mounted, in its own mount namespace. */
export const rootPath = "/run/root";
/** Where the guest mounts memory that containers share. */
export const memoryPath = "/run/memory";
/** Where the guest's cgroup v2 hierarchy is. */
export const cgroupPath = "/sys/fs/cgroup";
