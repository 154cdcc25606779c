/**
 * Bind mounts of the host's cgroups of version 1, as clients have them for systemd: `podman run --systemd=always`, `docker run -v
 * /sys/fs/cgroup:/sys/fs/cgroup:ro`. The guest has one hierarchy, of version 2, for all of them.
 */
import { dirname, normalize, resolve } from "node:path";
import { sortMountOptions } from "../../guest/lower/mount-flags";
import { hierarchies } from "../../linux/cgroups";
import { MOUNT_ATTR_RDONLY } from "../../linux/constants";
import { isBind, type Mount } from "../../oci/mounts";
import { findNamespace, type Namespace } from "../../oci/namespaces";

/**
 * The configuration as the guest can have it:
 * - a hierarchy on a place in another mount of cgroups is that one, which can be written to if the hierarchy can. For systemd to find its processes in
 *   it by /proc/PID/cgroup, the container has a cgroup namespace then;
 * - a hierarchy on any other place is the guest's;
 * - the directory of all hierarchies is the guest's, and can be written to as they can: `ro` is about the directory alone.
 * @param host the host's hierarchies
 */
export function inOneHierarchy<Wanted extends CgroupConfig>(config: Wanted, host = hierarchies()): Wanted {
  const places = host.filter(({ version }) => version === 1).map(({ mountPoint }) => mountPoint);
  const mounts: Mount[] = [];
  let { namespaces } = config.linux;
  for (const mount of config.mounts) {
    const source = isBind(mount) ? resolve(mount.source ?? "") : "";
    const above = mounts.findLast((other) => isCgroups(other) && isIn(mount.destination, other.destination));
    if (!places.includes(source)) {
      const all = mount.options.includes("rbind") && places.some((place) => dirname(place) === source);
      mounts.push(all ? writable(mount) : mount);
    } else if (above === undefined) mounts.push({ ...mount, source: dirname(source) });
    else if (!isReadOnly(mount)) {
      mounts[mounts.indexOf(above)] = writable(above);
      if (!findNamespace(namespaces, "cgroup")) namespaces = [...namespaces, { type: "cgroup" }];
    }
  }
  return { ...config, mounts, linux: { ...config.linux, namespaces } };
}

type CgroupConfig = { mounts: Mount[]; linux: { namespaces: Namespace[] } };

const isCgroups = ({ type }: Mount): boolean => type === "cgroup" || type === "cgroup2";

const isIn = (path: string, directory: string): boolean =>
  normalize(path).startsWith(`${normalize(directory).replace(/\/+$/, "")}/`);

const writable = (mount: Mount): Mount => ({ ...mount, options: mount.options.filter((option) => option !== "ro") });

const isReadOnly = ({ options }: Mount): boolean =>
  (sortMountOptions(options).attributes.set & MOUNT_ATTR_RDONLY) !== 0;
