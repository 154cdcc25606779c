/** docs/clients.md: what each command does with runc and with runv. */
import { type Compared, problem } from "./compare";
import { tables } from "./tables";
import type { Outcome } from "./world";

const head = `# Real clients

What each command of Docker, podman, ctr, CRI and Swarm does with runc and with runv: written by \`tests/clients/matrix\`, which runs
them all. A row is a script; its outcome is its exit code and all that it says. "the same" means the same exit code and
the same words, letter by letter.
`;

/** What no row shows, or that is worth saying outside of its row. */
const tail = `## critest

Kubernetes' own suite for runtimes, cri-tools 1.26.1 built by hand with Debian's Go, was run against containerd 1.6.20 with both runtimes (29 November 2026), with images of busybox and
nginx made here under the names that it asks for. Left out are its tests of images, which are containerd's, and those that skip themselves where there is no SELinux and no AppArmor.

| | specs | pass | fail |
|---|---|---|---|
| runc | 73 | 71 | 2 |
| runv, by runc's shim | 73 | 66 | 7 |
| runv, by its own shim, without port-forward (then), the host's network and \`rshared\` (see below) | 69 | 66 | 3 |

What had failed for the images alone was run again with better ones. Two still fail with each: busybox's shell needs no \`ls\` that could be masked, and the test of a timeout counts a
\`sleep\` that is the pod's pause. The other five failed with runv
alone: port-forward, which works since (run again on 30 November 2026, by either shim); and the host's network (its test, and port-forward to a pod that has it), the host's shared memory segments, \`rshared\`, which are listed below. The rows "what pods and containers are made with" above are this project's own, of the
same subjects; nothing of critest is in this repository.

## Differences that stay

- **\`kubectl port-forward\`, \`crictl port-forward\`** to a port at which nothing listens: the connection is accepted and then reset, where runc's is refused. They need Linux
  5.9 on the host ([networking.md](networking.md#the-namespaces-loopback-address)).
- **The host's network**: a container has its way out through it, and nothing else: no interfaces of the host's, no ports open on the host, and no list of those that are
  ([networking.md](networking.md)).
- **The host's IPC namespace**: System V's segments and queues of the host are not the guest's. \`/dev/shm\` of the host is a volume, if it is asked for.
- **\`rshared\` volumes**: what the host mounts in them is seen in the container; what the container mounts in them stays in the guest.
- **\`docker top\`, \`podman top\`, \`podman pod top\`**: the host's ps(1) sees a process for each that a client has started, and those of podman's pods not at all;
  \`exec ID ps\` shows what there is.
- **\`docker network connect\`**: a process that is started at once may not see the new interface yet, for up to a second: the guest is told of it after the host has it.
- **\`docker stats\`, \`podman stats\`, \`podman pod stats\`** read the cgroup on the host: its limit has room for the guest's kernel and the hypervisor too, and its processes
  are the host's.
- **\`ctr tasks metrics\` by runv's own shim** names the fields of cgroup v2 on every host, and writes "no limit" as that does, not as containerd does with cgroup v1.
- **A command that is masked itself** (\`MaskedPaths\` with the shell's own file) ends with "permission denied" where runc says "executable file not found in $PATH".
- **A pod's machine ends with the last of its containers**, and conmon of the first one with it. Commands do not wait for that: \`podman run\` returns when its container has ended.
`;

/** Writes the page. */
export function formatMatrix(results: readonly Compared[]): string {
  const byRow = new Map(results.map((result) => [result.row, result]));
  const parts = tables.map(({ client, title, rows }) => {
    const lines = rows.flatMap((row) => byRow.get(row) ?? []).map(formatRow);
    return [`## ${client}: ${title}`, "", "| command | runc | runv | why |", "|---|---|---|---|", ...lines].join("\n");
  });
  return `${[head, formatSummary(results), ...parts].join("\n")}\n\n${tail}`;
}

function formatSummary(results: readonly Compared[]): string {
  const clients = [...new Set(tables.map(({ client }) => client))];
  const lines = clients.map((client) => {
    const rows = tables.filter((table) => table.client === client).flatMap((table) => table.rows);
    const own = results.filter(({ row }) => rows.includes(row));
    const different = own.filter((result) => !isSame(result));
    const here = different.filter(({ row }) => (row.machine ?? row.host) !== undefined);
    return `| ${client} | ${own.length} | ${different.length} | ${here.length} |`;
  });
  const head = [
    "| client | commands | differ | of these, because of the machine this was written on |",
    "|---|---|---|---|",
  ];
  return [...head, ...lines, ""].join("\n");
}

function formatRow(result: Compared): string {
  const { row, outcomes } = result;
  const runv = isSame(result) ? "the same" : formatOutcome(outcomes.runv);
  const here = row.machine ?? row.host;
  const why = row.differs ?? (here && `the machine this was written on: ${here}`) ?? "";
  const failed = problem(result) === undefined ? "" : "**not as declared** ";
  return `| ${cell(row.name)} | ${formatOutcome(outcomes.runc)} | ${runv} | ${failed}${cell(isSame(result) ? "" : why)} |`;
}

function isSame({ outcomes: { runc, runv } }: Compared): boolean {
  return runc.code === runv.code && runc.output === runv.output;
}

/** The exit code where it says something, and the last line. */
function formatOutcome({ code, output }: Outcome): string {
  const last = output.split("\n").at(-1)?.trim() ?? "";
  const short = last.length > 70 ? `…${last.slice(-70)}` : last;
  return (
    cell(
      [code === 0 ? "" : `exit code ${code}`, short && `\`${short.replaceAll("`", "'")}\``].filter(Boolean).join(": "),
    ) || "ok"
  );
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\t", " ");
}
