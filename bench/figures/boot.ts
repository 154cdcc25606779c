/** The processor time of a container in a machine that boots, beside that of the same kernel and initrd started by hand. */
import { join } from "node:path";
import { identifyQemu } from "../../src/hypervisor/qemu/binary";
import { changesFor } from "../../src/hypervisor/qemu/versions";
import { commandLineOf, underTcg } from "../../src/image/command-line";
import { architecture } from "../../src/linux/syscalls";
import { figure } from "../result";
import { image } from "../rig";
import { interleave } from "../rounds";
import { environment } from "../runtimes";
import { usageOf } from "../usage";
import type { Measure } from "./index";

export const measureBoot: Measure = async (rig) => {
  // Not of a clone: who is forked from another process is nobody's descendant here.
  const runtimes = rig.runtimes.filter(({ name }) => name === "cold");
  const bundle = rig.bundle("true");
  const turns = runtimes.map(({ name, words, id }) => ({
    name,
    sample: (round: number) => usageOf(rig.directory, words("run", "-b", bundle, id(`boot-${round}`))).cpu,
  }));
  const samples = await interleave(rig.quick ? 2 : 6, [{ name: "hand", sample: bootByHand }, ...turns]);
  return { "boot-cpu": figure("processor time of `run true`", "ms", samples) };
};

/** To the first word of the guest's init: a machine with nothing but a console and the agent's port, told what runv tells it. */
async function bootByHand(): Promise<number> {
  const qemu = Bun.spawn(await commandByHand(), {
    stdio: ["pipe", "pipe", "inherit"],
    env: environment(),
    timeout: 60_000,
  });
  // Its standard input stays open: at its end the port would be closed.
  const { value: hello } = await qemu.stdout.getReader().read();
  qemu.kill("SIGKILL");
  await qemu.exited;
  if (hello === undefined) throw new Error("QEMU, started by hand, ended before the guest's init said a word");
  const { user, system } = qemu.resourceUsage()!.cpuTime;
  return Number(user + system) / 1000;
}

async function commandByHand(): Promise<string[]> {
  const processor = ["max", ...changesFor((await identifyQemu()).version).processor].join(",");
  return [
    `qemu-system-x86_64 -nodefaults -display none -no-reboot -machine pc -accel tcg,thread=multi -cpu ${processor} -smp 1 -m 128M`,
    "-serial file:/dev/null -device virtio-serial-pci -chardev stdio,id=agent,signal=off",
    "-device virtserialport,chardev=agent,name=runv.agent -kernel",
  ]
    .join(" ")
    .split(" ")
    .concat(join(image, "kernel"), "-initrd", join(image, "hyper-initrd.img"))
    .concat("-append", [...commandLineOf(), "loglevel=6", ...underTcg[architecture]].join(" "));
}
