/**
 * Files of the root file system, which a virtual machine reaches through its share: over 9p, keeping nothing of them or all, over virtiofs, from
 * runv's own server, or as a disk. Nobody waits for the host's disk: no sync, a warm cache.
 */
import { cpSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/base/error";
import { findVirtiofsd } from "../../src/hypervisor/virtiofsd";
import { command } from "../../tests/support/command";
import { time } from "../command";
import { idle, runningRuntimes, theOne, withContainers } from "../containers";
import { figure, type Samples } from "../result";
import type { Rig } from "../rig";
import { warmUp } from "../rounds";
import { type Runtime, variant } from "../runtimes";
import type { Measure } from "./index";

const mebibytes = 256;
const files = 5000;

/**
 * One after the other: what a step needs was left by those before. All contenders have the same rootfs, so each its own directory. Small files
 * take so long that they are counted once.
 */
const steps = [
  ["share-write", "writing 256 MiB to the rootfs", "MB/s", `dd if=/dev/zero of=large bs=1M count=${mebibytes} 2>&-`],
  ["share-read", "reading them", "MB/s", "dd if=large of=/dev/null bs=1M 2>&-"],
  [
    "files-write",
    "writing 5,000 small files, once",
    "s",
    `i=0; while [ $i -lt ${files} ]; do i=$((i+1)); echo $i >$i; done`,
  ],
  ["files-list", "listing them with sizes", "s", "ls -l >/dev/null"],
  ["files-read", "reading them", "s", "cat [0-9]* >/dev/null"],
  ["files-remove", "removing them", "s", "rm [0-9]*"],
] as const;

export const measureShare: Measure = async (rig) => {
  const runtimes = [...runningRuntimes(rig), ...variants(rig)];
  const onDisk = await diskBundle(rig);
  const samples = new Map<string, Samples>(steps.map(([name]) => [name, {}]));
  await withContainers(
    rig,
    runtimes,
    async () => {
      for (let round = rig.quick ? warmUp + 1 : warmUp; round < (rig.quick ? 1 : 2); round++) {
        for (const [step, , unit, script] of steps) {
          if (unit === "s" && round !== 0) continue;
          for (const runtime of runtimes) {
            const { name, words } = runtime;
            const inside = `mkdir -p /bench-${name} && cd /bench-${name} && ${script}`;
            const seconds = time(words("exec", theOne(runtime), "sh", "-c", inside)) / 1000;
            const sample = unit === "s" ? seconds : (mebibytes * 2 ** 20) / 1e6 / seconds;
            if (round !== warmUp) note(samples.get(step)!, name, sample);
          }
        }
      }
    },
    ({ name }) => (name === "disk" ? onDisk : rig.bundle(...idle)),
  );
  return Object.fromEntries(steps.map(([name, title, unit]) => [name, figure(title, unit, samples.get(name)!)]));
};

/** The same runv as the clones, with files by other ways. */
function variants({ runtimes, notes }: Rig): Runtime[] {
  const cloned = runtimes.find(({ name }) => name === "cloned");
  if (cloned === undefined) return [];
  const all = [
    variant(cloned, "loose", "--share-cache", "loose"),
    variant(cloned, "fuse", "--share", "fuse"),
    variant(cloned, "disk"),
  ];
  try {
    findVirtiofsd(undefined);
    return [...all, variant(cloned, "virtiofs", "--share", "virtiofs")];
  } catch (error) {
    notes.push(`virtiofs is not measured: ${messageOf(error)}`);
    return all;
  }
}

/** The shared rootfs in an image. */
async function diskBundle({ directory, rootfs, bundle }: Rig): Promise<string> {
  const path = join(directory, "bundle-disk");
  cpSync(bundle(...idle), path, { recursive: true });
  const image = join(path, "disk.img");
  writeFileSync(image, "");
  truncateSync(image, 2 * 2 ** 30);
  await command("mkfs.ext4", "-q", "-F", "-d", rootfs, image);
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
  config.annotations = { "org.runv.rootfs.block": image };
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
}

function note(samples: Samples, name: keyof Samples, sample: number): void {
  samples[name] = [...(samples[name] ?? []), sample];
}
