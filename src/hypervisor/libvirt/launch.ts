/** Has libvirt start a machine. */
import { closeSync, rmSync } from "node:fs";
import { RunvError } from "../../base/error";
import { identityOf } from "../../linux/identity";
import { unsupported } from "../capabilities";
import type { Capabilities, Machine, MachineSpec } from "../driver";
import { noteMachine } from "../orphans";
import { kvmProblem } from "../qemu/kvm";
import { counterKHz } from "../qemu/tsc";
import { findVirtiofsd, startVirtiofsd } from "../virtiofsd";
import { QemuCgroups } from "./cgroups";
import { LibvirtDisks } from "./disk";
import { domainXml, uuidOf } from "./domain";
import { LibvirtMachine } from "./machine";
import { accept, listen, makePlaces, type Owner, type Place, removePlaces } from "./places";
import { Virsh } from "./virsh";
import { withFile } from "./with-file";

export interface LibvirtOptions {
  uri: string;
  /** Paths of programs, if they are not to be looked for. */
  virtiofsd?: string | undefined;
  qemu?: string | undefined;
}

/** `Driver.launch` of the driver libvirt. */
export async function launch(spec: MachineSpec, options: LibvirtOptions, capabilities: Capabilities): Promise<Machine> {
  if (spec.memory !== undefined || spec.restore !== undefined) {
    throw unsupported("libvirt", "template");
  }
  const virtiofsd = findVirtiofsd(options.virtiofsd);
  const accelerator = kvmProblem() === undefined ? "kvm" : "tcg";
  const { virsh } = await Virsh.connect(options.uri);
  const undo: (() => unknown)[] = [() => virsh.close()];
  try {
    const owner = ownerOf(await virsh.run("capabilities"));
    noteMachine(spec.directory, { driver: "libvirt", name: spec.name, options: optionsFor(options) });
    const directory = makePlaces(spec.name, owner);
    undo.push(() => removePlaces(spec.name));
    const [agent, console, share] = ["agent", "console", "share"].map((name) =>
      listen(`${directory}/${name}`, owner),
    ) as [Place, Place, Place];
    const server = spec.share && startVirtiofsd(virtiofsd, spec.share.path, share.fd);
    closeSync(share.fd);
    undo.push(async () => {
      server?.kill();
      await server?.exited;
    });
    const sockets = { agent: agent.path, console: console.path, share: share.path };
    const document = domainXml({
      ...{ spec, accelerator, emulator: options.qemu, owner, sockets },
      ...(accelerator === "tcg" && { counterKHz: counterKHz() }),
    });
    await withFile(document, (path) => virsh.run("create", path, "--paused", "--autodestroy"));
    const connections = { agent: accept(agent), console: accept(console) };
    const qemu = identityOf(connections.agent.pid);
    if (qemu === undefined) throw new RunvError("VM_DIED", "libvirt's QEMU ended while the guest was starting");
    const cgroups = new QemuCgroups(qemu.pid);
    undo.push(() => cgroups.end());
    cgroups.join();
    const disks = new LibvirtDisks({ virsh, uuid: uuidOf(spec.name), directory, owner });
    const tidy = async () => {
      for (const action of undo.reverse()) await action();
      rmSync(`/var/log/libvirt/qemu/${spec.label ?? spec.name}.log`, { force: true });
    };
    const machine = new LibvirtMachine(qemu, {
      ...{ spec, accelerator, capabilities, virsh, cgroups, disks, tidy },
      agent: connections.agent.fd,
      console: connections.console.fd,
    });
    await machine.resume();
    return machine;
  } catch (error) {
    for (const action of undo.reverse()) await action();
    throw error;
  }
}

/** Under whom libvirt runs QEMU: the default label of its driver for owners of files. */
function ownerOf(capabilities: string): Owner {
  const model = /<model>dac<\/model>[\s\S]*?<\/secmodel>/.exec(capabilities)?.[0] ?? "";
  const match = /<baselabel type='(?:kvm|qemu)'>\+(\d+):\+(\d+)</.exec(model);
  return { uid: Number(match?.[1] ?? 0), gid: Number(match?.[2] ?? 0) };
}

function optionsFor({ uri }: LibvirtOptions): Record<string, string> {
  return { libvirt_uri: uri };
}
