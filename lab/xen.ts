/**
 * A machine in which Xen runs, and this host's files are its first domain's. Xen and its tools are Debian's, unpacked and not installed,
 * so that nothing of this host changes. With SMAP the first domain's kernel crashes; with RDTSCP a PVH domain does: QEMU says of it
 * that it was RDTSC.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunvError } from "../src/base/error";
import type { LabKind } from "./kinds";
import { commandLine } from "./order";
import { unpackPackages } from "./packages";

const packages = ["xen-system-amd64", "qemu-system-xen"];
/** The rest of the machine's memory is for the other domains. */
const firstDomainMiB = 1536;

export const xen: LabKind = {
  name: "xen",
  cpu: "max,-xsave,-smap,-rdtscp",
  memoryMiB: 3072,
  async prepare({ kernel, initrd, scratch }, progress) {
    const tree = await unpackPackages(packages, progress);
    const hypervisor = join(scratch, "xen");
    writeFileSync(hypervisor, Bun.gunzipSync(readFileSync(findHypervisor(tree))));
    const words = [
      `dom0_mem=${firstDomainMiB}M,max:${firstDomainMiB}M`,
      // A second one would have to be told of every change of a page table. The machine's other processor is the domains'.
      "dom0_max_vcpus=1",
      "spec-ctrl=no console=com2 com2=115200,8n1 loglvl=warning guest_loglvl=warning",
    ];
    // A comma in a module's arguments is doubled; there is none.
    const modules = `${kernel} ${commandLine("hvc0")},${initrd}`;
    return {
      boot: ["-kernel", hypervisor, "-append", words.join(" "), "-initrd", modules],
      tree,
    };
  },
};

function findHypervisor(tree: string): string {
  const boot = join(tree, "boot");
  const found = readdirSync(boot).find((name) => /^xen-[\d.]+-amd64\.gz$/.test(name));
  if (found === undefined) throw new RunvError("IMAGE_NOT_FOUND", `${boot} has no hypervisor of Xen's`);
  return join(boot, found);
}
