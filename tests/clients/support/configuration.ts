/** What is in the world's /etc: the clients' settings, with runv beside runc. */
import { commandLine } from "../../support/runv";

const [binary = "", ...flags] = commandLine([]);

/** Where runv is. */
export const runvBinary = binary;

const image = (name: string) => flags[flags.indexOf(`--${name}`) + 1] ?? "";

/** For daemons where nobody sees to services: no systemd, limits within the machine's. */
const podman = `
[containers]
default_ulimits = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
runc = ["/usr/sbin/runc"]
runv = ["${binary}"]
[network]
network_backend = "netavark"
`;

const docker = {
  "oom-score-adjust": 0,
  "storage-driver": "overlay2",
  "default-runtime": "runc",
  containerd: "/run/containerd/containerd.sock",
  runtimes: { runv: { path: binary } },
};

const cni = {
  cniVersion: "1.0.0",
  name: "clients",
  plugins: [
    {
      type: "bridge",
      bridge: "clients0",
      isGateway: true,
      ipMasq: true,
      ipam: { type: "host-local", ranges: [[{ subnet: "10.97.0.0/16" }]], routes: [{ dst: "0.0.0.0/0" }] },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};

/** By their paths. */
export const configuration: Readonly<Record<string, string>> = {
  "/etc/runv/config.toml": `kernel = "${image("kernel")}"\ninitrd = "${image("initrd")}"\n`,
  "/etc/docker/daemon.json": JSON.stringify(docker),
  "/etc/containers/containers.conf": podman,
  "/etc/containers/storage.conf":
    '[storage]\ndriver = "overlay"\nrunroot = "/run/containers"\ngraphroot = "/var/lib/containers"\n',
  "/etc/cni/net.d/10-clients.conflist": JSON.stringify(cni),
};
