/** What a container sees of itself, under runv and under the real runc: the same, line by line. */
import { expect } from "bun:test";
import type { Config } from "./support/bundle";
import { runvTest } from "./support/rig";
import { forgetRunc, runc } from "./support/runc";

const probe = `
id; umask; pwd; hostname; cat /proc/sys/kernel/domainname; env | sort
grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status
cat /proc/self/limits | grep -vE 'pending|processes|memory|msgqueue|address'
cat /proc/self/oom_score_adj /proc/sys/kernel/msgmax
cd /dev; for f in $(ls | grep -v ^core$); do stat -c '%n %F %a %u:%g %t:%T' $f; done; for f in fd std* ptmx; do readlink $f; done
for p in / /dev /dev/pts /dev/shm /dev/mqueue /proc /sys /proc/bus /proc/irq /proc/sys /proc/keys; do
  cut -d' ' -f5,6 /proc/self/mountinfo | grep "^$p " | sed 's/,relatime//'
done
stat -c '%n %F %a' /dev/shm /tmp /run /work
touch /file 2>&1; touch /proc/sys/kernel/hostname 2>&1
kill -0 1 && echo init
`;

const minimal = (config: Config) => {
  config.hostname = "probe";
};

const rich = (config: Config) => {
  Object.assign(config, { hostname: "rich", domainname: "example.org" });
  config.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 6, 7], umask: 0o27 };
  config.process.env = [...config.process.env, "A=b c", "EMPTY="];
  config.process.cwd = "/work/deep";
  config.process.oomScoreAdj = 300;
  config.process.noNewPrivileges = false;
  config.process.rlimits = [
    { type: "RLIMIT_NOFILE", soft: 512, hard: 600 },
    { type: "RLIMIT_CORE", soft: 0, hard: 0 },
    { type: "RLIMIT_STACK", soft: 1 << 20, hard: 1 << 21 },
  ];
  const some = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE"];
  config.process.capabilities = {
    bounding: [...some, "CAP_SETUID"],
    effective: some,
    permitted: some,
    inheritable: ["CAP_KILL", "CAP_NET_RAW"],
    ambient: ["CAP_KILL"],
  };
  config.root.readonly = false;
  config.linux.sysctl = { "kernel.msgmax": "4321" };
  config.linux.devices = [{ path: "/dev/mine/null", type: "c", major: 1, minor: 3, fileMode: 0o640, uid: 7, gid: 8 }];
  config.linux.seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["swapon"], action: "SCMP_ACT_ERRNO" }],
  };
  config.mounts.push({ destination: "/run", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=0710"] });
};

for (const [name, change] of Object.entries({ minimal, rich })) {
  runvTest(`the view from inside: ${name}`, async (rig) => {
    // A bundle for each: what runc makes in the root file system stays there.
    const own = await rig.bundle({ args: ["sh", "-c", probe], change });
    const theirs = await rig.bundle({ args: ["sh", "-c", probe], change });
    const [seen, expected] = [
      await rig.runv(["run", "-b", own, rig.id("view")]),
      await runc(rig, ["run", "-b", theirs, rig.id("view")]),
    ];
    forgetRunc(rig);
    expect(seen.stderr).toBe(expected.stderr);
    // runc 1.1 does not know `domainname`.
    const theirView = name === "rich" ? expected.stdout.replace("(none)", "example.org") : expected.stdout;
    expect(seen.stdout.split("\n")).toEqual(theirView.split("\n"));
    expect(seen.code).toBe(expected.code);
  });
}
