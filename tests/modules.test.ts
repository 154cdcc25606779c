/** What a container finds that the guest's kernel has as a module: it is loaded when it is asked for. */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./support/bundle";
import { makeImage } from "./support/disk-image";
import { runvTest } from "./support/rig";

const all = [
  "CAP_SYS_ADMIN",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_MKNOD",
  "CAP_DAC_OVERRIDE",
  "CAP_CHOWN",
  "CAP_SYS_MODULE",
];

/** As much as `docker run --privileged` gives. */
function privileged({ process, linux }: Config): void {
  process.capabilities = Object.fromEntries(["bounding", "effective", "permitted"].map((set) => [set, all]));
  linux.maskedPaths = linux.readonlyPaths = [];
  linux.resources = { devices: [{ allow: true, access: "rwm" }] };
}

runvTest("file systems, devices and interfaces whose modules nobody has loaded", async ({ runv, bundle, id }) => {
  let root = "";
  const path = await bundle({
    args: ["sh", "/probe"],
    change: (config) => {
      root = config.root.path;
      config.root.readonly = false;
      config.mounts.push({ destination: "/t", type: "tmpfs", source: "tmpfs" });
      privileged(config);
    },
  });
  await makeImage(root, "image");
  writeFileSync(
    join(root, "probe"),
    `exec 2>&1; cd /t; mkdir l u w m d
echo lower >l/file; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay m && cat m/file
mknod /dev/fuse c 10 229; mkdir -p /dev/net; mknod /dev/net/tun c 10 200
: <>/dev/fuse && echo fuse; : <>/dev/net/tun && echo tun
mknod /dev/loop-control c 10 237; mknod /dev/loop0 b 7 0
losetup /dev/loop0 /image && mount -t ext4 -o ro /dev/loop0 d && grep -o daemon:x d/etc/group
for kind in dummy bridge veth ifb vxlan wireguard; do
  ip link add dev $kind-1 type $kind $([ $kind != vxlan ] || echo id 7 dstport 4789) && echo $kind
done
ip link add link dummy-1 name macvlan-1 type macvlan mode bridge && echo macvlan
ip link add link veth-1 name ipvlan-1 type ipvlan mode l2 && echo ipvlan
# As Docker in Docker asks for what nothing else does: netdevice(7) has the kernel look for an interface's module.
for module in br_netfilter ip_vs; do ip link show $module 2>/dev/null; done
cat /proc/sys/net/bridge/bridge-nf-call-iptables; grep -c "^IP Virtual Server" /proc/net/ip_vs
mount -t nowhere none d; true
`,
  );
  expect(await runv(["run", "-b", path, id("asks")])).toEqual({
    code: 0,
    stderr: "",
    stdout: `lower\nfuse\ntun\ndaemon:x\ndummy\nbridge\nveth\nifb\nvxlan\nwireguard\nmacvlan\nipvlan\n1\n1\nmount: mounting none on d failed: No such device\n`,
  });
});

runvTest("the directory of modules cannot be written to from the guest", async ({ runv, bundle, id }) => {
  const place = "/proc/1/root/run/share/@guest/modules";
  const path = await bundle({
    args: [
      "sh",
      "-c",
      `ls ${place}/overlay.ko; for f in new overlay.ko aliases; do echo >>${place}/$f; done; rm ${place}/aliases`,
    ],
    change: (config) => {
      privileged(config);
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
      (config.process.capabilities as Record<string, string[]>).effective!.push("CAP_SYS_PTRACE");
    },
  });
  const { stdout, stderr } = await runv(["run", "-b", path, id("writes")]);
  expect(stdout).toBe(`${place}/overlay.ko\n`);
  expect(stderr.match(/Read-only file system/g)).toHaveLength(4);
});
