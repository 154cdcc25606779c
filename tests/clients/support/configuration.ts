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

/** The version of the dockerd that is installed. */
export const dockerMajor = Number(
  /version (\d+)/.exec(Bun.spawnSync(["dockerd", "--version"], { stderr: "ignore" }).stdout.toString())?.[1] ?? 0,
);

const docker = {
  // Until version 24 it lowers its own score, which not everybody may; later it does not know the word.
  ...(dockerMajor < 25 && { "oom-score-adjust": 0 }),
  "storage-driver": "overlay2",
  "default-runtime": "runc",
  // For its checkpoints.
  experimental: true,
  containerd: "/run/containerd/containerd.sock",
  runtimes: { runv: { path: binary } },
};

/** The image that holds a pod's namespaces. */
export const pauseImage = "pause";

const cri = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/${pauseImage}:latest"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
${criRuntime("runc")}${criRuntime("runv")}  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc-shim]
    runtime_type = "io.containerd.runc.v2"
`;

function criRuntime(name: string): string {
  return `  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${name}]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${name}.options]
      BinaryName = "${name}"
`;
}

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
  "/etc/runv/config.toml": `kernel = "${image("kernel")}"\ninitrd = "${image("initrd")}"\nstart_timeout = 300\n`,
  "/etc/docker/daemon.json": JSON.stringify(docker),
  "/etc/containerd/config.toml": cri,
  "/etc/containers/containers.conf": podman,
  "/etc/containers/storage.conf":
    '[storage]\ndriver = "overlay"\nrunroot = "/run/containers"\ngraphroot = "/var/lib/containers"\n',
  "/etc/cni/net.d/10-clients.conflist": JSON.stringify(cni),
};
