/** What a process can see of itself: a script for busybox's shell that tells it, in sections. */
import type { Config } from "../support/bundle";

/** Files of cgroup v1 that say what a file of v2 says; the host of these tests has v1. */
export const cgroupFiles = {
  "memory/memory.limit_in_bytes": "memory.max",
  "memory/memory.soft_limit_in_bytes": "memory.low",
  "cpu/cpu.shares": "cpu.weight",
  "cpu/cpu.cfs_quota_us": "cpu.max",
  "cpu/cpu.cfs_period_us": "cpu.max",
  "pids/pids.max": "pids.max",
  "cpuset/cpuset.cpus": "cpuset.cpus",
} as const;

const namespaces = ["cgroup", "ipc", "pid", "time", "user", "uts"];

/**
 * The script for a configuration: some of it asks for what the configuration speaks of. The shell's own commands are used where they do, for
 * starting a program is what costs most in an emulated machine.
 */
export function probeFor({ linux, mounts }: Config): string {
  const list = (value: unknown) => (value as string[] | undefined) ?? [];
  const sysctls = Object.keys((linux.sysctl as object | undefined) ?? {}).map((name) => name.replaceAll(".", "/"));
  const words = (values: readonly string[]) => values.map((value) => `'${value}'`).join(" ");
  const own = mounts.map(({ destination }) => destination).filter((path) => !/^\/(proc|sys|dev)\b/.test(path));
  return `
exec 2>&1
s() { echo "== $1"; }
s directory; pwd
s environment; env | sort
s ids; grep -E '^(Uid|Gid|Groups):' /proc/self/status
s umask; umask
s names; hostname; cat /proc/sys/kernel/domainname
s capabilities; grep ^Cap /proc/self/status
s security; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status
s limits; cat /proc/self/limits
s oom; cat /proc/self/oom_score_adj
s scheduling; cut -d' ' -f 18,19,40,41 /proc/self/stat; ionice
s personality; uname -m
s namespaces; stat -c %N ${namespaces.map((name) => `/proc/self/ns/${name}`).join(" ")}; cat /proc/self/uid_map /proc/self/gid_map
s processes; [ $$ = 1 ] && echo first
s terminal; tty; stty size
s mounts; cat /proc/self/mountinfo
s devices
cd /dev; find . ! -type d ! -type l | grep -v ^./core$ | xargs -r stat -c '%n %F %a %u:%g %t:%T'
find . -type l ! -name core | xargs -r stat -c %N; find . -type d | xargs stat -c '%n %a %u:%g'
s opened; for f in $(find . -type c ! -name tty ! -name console ! -name ptmx ! -path './pts/*'); do true <$f && true >$f && echo $f opens; done
cd /
s masked; for f in ${words(list(linux.maskedPaths))}; do
  if [ -d $f ]; then for e in $f/*; do [ ! -e "$e" ] || echo $e; done; elif [ -e $f ] && read -r x <$f; then echo $f; fi
done
s readonly; for f in ${words(list(linux.readonlyPaths))}; do [ ! -d $f ] || true >$f/probe; done
s sysctls; for f in ${words(sysctls)}; do read -r x </proc/sys/$f; echo $f $x; done
s cgroup; cd /sys/fs/cgroup && for f in ${words([...new Set(Object.entries(cgroupFiles).flat())])}; do [ ! -e $f ] || { read -r x <$f; echo $f $x; }; done
cd /
s content; for f in ${words(own)}; do stat -c '%n %F %a %u:%g' $f; if [ -d $f ]; then ls -A $f | sort; for d in $f $f/*/; do true >$d/touched && rm $d/touched && echo $d is writable; done; else cat $f; fi; done
s writing; for f in / /tmp /dev /dev/shm /sys /etc; do true >$f/probe && rm $f/probe && echo $f; done; true >>/proc/sys/kernel/hostname && echo hostname
s end
exit 7
`;
}
