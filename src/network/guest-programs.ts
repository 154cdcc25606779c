/** The programs that configure the guest's network. */
import { AT_FDCWD, CLONE_NEWNET } from "../linux/constants";
import type { ErrnoName } from "../linux/errno";
import { RTMGRP_LINK } from "../linux/netlink/constants";
import { getLinks, setLink } from "../linux/netlink/link";
import type { NetlinkRequest } from "../linux/netlink/message";
import { Assembler, Pidfd } from "../program/assembler";
import { writeFile } from "../program/files";
import { ProgramNetlink } from "../program/netlink";
import type { Program } from "../program/program";
import { loopback } from "./config";

/** What the guest's kernel needs, unless its driver has other interfaces. */
export const networkModules: readonly string[] = ["virtio_net"];

/** A change of the guest's network: a request, with the errors that are none, or a file that is written. */
export type Step = {
  /** What it is for: `add the address 172.17.0.2/16`. */
  doing: string;
} & ({ request: NetlinkRequest; accept: readonly ErrnoName[] } | { file: string; text: string });

/** So many changes are surely one program. */
const batch = 500;

/** What every network namespace begins with. */
export const setUpLoopback: Step = {
  doing: "set up the interface lo",
  request: setLink(loopback, { up: true }),
  accept: [],
};

/** Goes to a network namespace of the guest's. @param namespace the handle of a process that is in it; undefined: its own */
export function enterNetwork(p: Assembler, namespace: number | undefined): void {
  if (namespace !== undefined) p.syscall("setns", [new Pidfd(namespace), CLONE_NEWNET]);
}

/** The programs that make these changes, one after the other. @param namespace where, as `enterNetwork` has it */
export function configureNetwork(steps: readonly Step[], namespace?: number): Program[] {
  const programs: Program[] = [];
  for (let from = 0; from < steps.length; from += batch) {
    const p = new Assembler();
    p.doing("open a netlink socket in the guest");
    enterNetwork(p, namespace);
    const netlink = new ProgramNetlink(p);
    for (const step of steps.slice(from, from + batch)) {
      change(p, netlink, step);
    }
    programs.push(p.assemble());
  }
  return programs;
}

function change(p: Assembler, netlink: ProgramNetlink, step: Step): void {
  p.doing(`in the guest, ${step.doing}`);
  if ("request" in step) netlink.change(step.request, step.accept);
  else writeFile(p, step.file, step.text);
}

/** Begins in a network namespace of its own, sets its loopback interface up, and stops: as long as the process lives, there is the namespace. */
export function holdNetwork(): Program {
  const p = new Assembler();
  p.doing("open a netlink socket in the guest");
  change(p, new ProgramNetlink(p), setUpLoopback);
  p.stop();
  return p.assemble({ flags: CLONE_NEWNET });
}

/** Moves an interface of the guest's own network namespace into that of a process of the guest's, under a name that is free there. */
export function moveToProcess(index: number, pid: number): Program {
  const request = setLink(index, { namespaceOf: pid, name: "new%d" });
  return configureNetwork([{ doing: "move an interface to the container's network", request, accept: [] }])[0]!;
}

/** Puts out the guest's links; stops, and when it goes on waits until links change, and begins again. @param namespace as `enterNetwork` has it */
export function watchLinks(namespace?: number): Program {
  const p = new Assembler();
  p.doing("look at the guest's network interfaces");
  enterNetwork(p, namespace);
  const netlink = new ProgramNetlink(p, RTMGRP_LINK);
  const again = p.label();
  p.place(again);
  netlink.list(getLinks());
  p.stop();
  netlink.wait();
  p.jump(again);
  return p.assemble();
}

/** Puts out the guest's links. */
export function listLinks(): Program {
  const p = new Assembler();
  p.doing("look at the guest's network interfaces");
  new ProgramNetlink(p).list(getLinks());
  return p.assemble();
}

const driver = "/sys/bus/virtio/drivers/virtio_net";

/** Puts out where /sys says that the device of an interface is. */
export function findDevice(name: string): Program {
  const p = new Assembler();
  p.doing(`find the device of ${name} in the guest`);
  const size = 4096;
  const buffer = p.zeroed(size);
  const length = p.value("readlinkat", [AT_FDCWD, p.text(`/sys/class/net/${name}/device`), buffer, size]);
  p.output(buffer, length);
  return p.assemble();
}

/** Takes a virtio device from its driver, so that its interface goes, or gives it back. @param device `virtio2` */
export function setDriver(device: string, bound: boolean): Program {
  const p = new Assembler();
  p.doing(`${bound ? "show" : "hide"} the spare network interface`);
  writeFile(p, `${driver}/${bound ? "bind" : "unbind"}`, device);
  return p.assemble();
}
