/** runv and runc, given the same bundle and the same commands, do and say the same. */
import { expect } from "bun:test";
import { hostTest, type Rig, runvTest } from "./support/rig";
import { forgetRunc, normalized, runc } from "./support/runc";
import type { Result } from "./support/runv";
import { until } from "./support/until";

type Runtime = (args: readonly string[]) => Promise<Result>;

const statusOf = async (runtime: Runtime, id: string): Promise<string | undefined> => {
  const { code, stdout } = await runtime(["state", id]);
  return code === 0 ? JSON.parse(stdout).status : undefined;
};

/** Each step is a command, and what must have come true before the next one. */
function steps(id: string, bundle: string): { args: string[]; comes?: string }[] {
  const refused = ["start", "pause", "resume", "kill", "delete", "state", "ps"];
  const onMissing = refused.map((verb) => ({ args: [verb, id] }));
  return [
    ...onMissing,
    { args: ["exec", id, "true"] },
    { args: ["delete", "--force", id] },
    { args: ["list"] },
    { args: ["list", "--quiet"] },
    { args: ["list", "--format", "json"] },
    { args: ["create", "--bundle", bundle, id] },
    { args: ["state", id] },
    { args: ["list", "--quiet"] },
    { args: ["create", "--bundle", bundle, id] },
    { args: ["resume", id] },
    { args: ["delete", id] },
    { args: ["state", id] },
    { args: ["create", "--bundle", bundle, id] },
    { args: ["exec", id, "sh", "-c", "echo in; echo err >&2; exit 5"] },
    { args: ["kill", id, "0"] },
    { args: ["kill", id, "NONSENSE"] },
    { args: ["start", id], comes: "running" },
    { args: ["start", id] },
    { args: ["state", id] },
    { args: ["exec", id, "missing-command"] },
    { args: ["exec", id] },
    { args: ["exec", "--cwd", "/nowhere", id, "true"] },
    { args: ["exec", "--user", "1000:1001", "--additional-gids", "5", id, "id", "-G"] },
    { args: ["exec", "--env", "A=b c", id, "sh", "-c", "echo $A $HOME $PATH; pwd; hostname; umask"] },
    { args: ["resume", id] },
    { args: ["pause", id], comes: "paused" },
    { args: ["pause", id] },
    { args: ["exec", id, "true"] },
    { args: ["start", id] },
    { args: ["delete", id] },
    { args: ["resume", id], comes: "running" },
    { args: ["delete", id] },
    { args: ["kill", id, "USR1"] },
    { args: ["kill", id, "KILL"], comes: "stopped" },
    { args: ["state", id] },
    { args: ["kill", id, "KILL"] },
    { args: ["kill", "--all", id, "0"] },
    { args: ["start", id] },
    { args: ["exec", id, "true"] },
    { args: ["pause", id] },
    { args: ["resume", id] },
    { args: ["delete", id] },
    { args: ["delete", id] },
    { args: ["delete", "--force", id] },
  ];
}

async function tell(runtime: Runtime, id: string, bundle: string): Promise<string[]> {
  const told: string[] = [];
  for (const { args, comes } of steps(id, bundle)) {
    const { code, stdout, stderr } = normalized(await runtime(args));
    told.push([`$ ${args.join(" ").replace(id, "ID")}`, stdout, stderr, `=> ${code}`].join("\n"));
    if (comes !== undefined)
      await until(`${id} is ${comes}, after ${told.at(-1)}`, async () => (await statusOf(runtime, id)) === comes);
  }
  return told;
}

/** Says all that a process can see of itself. */
const report = `
  exec 2>&1
  id; umask; pwd; hostname; env | sort; tty
  for r in c d f l n s t v; do echo "limit $r $(ulimit -S -$r) $(ulimit -H -$r)"; done
  grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs)' /proc/self/status
  cat /proc/self/oom_score_adj
  ls -l /dev | grep -v /proc/kcore | awk '{ print $1, $3, $4, $5, $6, $NF }' | sed 's/[A-Z][a-z][a-z]//' | grep -v kcore | sort
  ls /dev/pts /dev/shm /dev/mqueue /sys | grep -vE '^(hypervisor|firmware|bus|power|class|module|devices|block|dev|fs|kernel)$'
  awk '$2 !~ "^/(sys/fs/cgroup|proc)" { split($4, o, ","); print $2, $3, o[1] }' /proc/mounts | sed -E 's/ (9p|virtiofs) / overlay /' | sort
  # The two kernels do not have the same files.
  awk '$2 ~ "^/proc" { split($4, o, ","); print $2, o[1] }' /proc/mounts | grep -vE 'kcore|sysrq|latency|sched_debug' | sort
  for f in /proc/keys /proc/timer_list; do [ ! -e $f ] || wc -c < $f; done
  for f in /x /proc/sys/kernel/domainname /proc/sysrq-trigger /sys/x /dev/x /dev/shm/x; do (echo > $f) 2>/dev/null && echo "can write $f"; done
  ls -A /proc/acpi /proc/scsi /sys/firmware 2>/dev/null
  echo $$
  exit 3
`;

/** Does the same with runv and with runc, each with an id of its own, for they share the host's cgroups. */
async function inBoth<T>(
  rig: Rig,
  action: (runtime: Runtime, id: string) => Promise<T>,
): Promise<[ours: T, theirs: T]> {
  const runcId = rig.id("runc");
  try {
    return await Promise.all([
      action((args) => rig.runv(args), rig.id("runv")),
      action((args) => runc(rig, args), runcId),
    ]);
  } finally {
    await runc(rig, ["delete", "--force", runcId]);
    forgetRunc(rig);
  }
}

/** Runs a bundle to its end. */
const runBoth = (rig: Rig, bundle: string) => inBoth(rig, (runtime, id) => runtime(["run", "--bundle", bundle, id]));

for (const [ground, testOn] of [
  ["in a machine", runvTest],
  ["on the host", hostTest],
] as const) {
  testOn(`${ground}: the same commands give the same words and codes`, async (rig) => {
    const bundle = await rig.bundle({ args: ["sh", "-c", "trap : USR1; while :; do sleep 0.1; done"] });
    const [ours, theirs] = await inBoth(rig, (runtime, id) => tell(runtime, id, bundle));
    expect(ours.join("\n")).toBe(theirs.join("\n"));
  });

  testOn(`${ground}: the same configuration gives a process the same world`, async (rig) => {
    const bundle = await rig.bundle({
      args: ["sh", "-c", report],
      change: ({ process, root }) => {
        process.user = { uid: 1000, gid: 1001, umask: 0o27, additionalGids: [5, 42] };
        process.cwd = "/var/made/for/it";
        process.env.push("WORD=a b");
        process.rlimits = [
          { type: "RLIMIT_NOFILE", soft: 512, hard: 1024 },
          { type: "RLIMIT_CORE", soft: 0, hard: 0 },
          { type: "RLIMIT_STACK", soft: 4 << 20, hard: 8 << 20 },
        ];
        process.oomScoreAdj = 321;
        root.readonly = false;
      },
    });
    const [ours, theirs] = await runBoth(rig, bundle);
    expect(ours).toEqual(theirs);
  });

  testOn(`${ground}: a read-only root, and a process with all capabilities`, async (rig) => {
    const bundle = await rig.bundle({
      args: ["sh", "-c", report],
      change: ({ process, root }) => {
        delete process.capabilities;
        process.noNewPrivileges = false;
        root.readonly = true;
      },
    });
    const [ours, theirs] = await runBoth(rig, bundle);
    expect(ours).toEqual(theirs);
  });
}
