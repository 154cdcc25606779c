import { AT_FDCWD, AT_REMOVEDIR, O_CLOEXEC, O_WRONLY } from "../linux/constants";
import { Assembler } from "../program/assembler";
import { close, writeText } from "../program/files";
import type { Program } from "../program/program";
import { CgroupTree } from "./each-cgroup";
import type { Guest } from "./guest";
import { cgroupOf } from "./lower/cgroup";

/** How often the cgroup of a container that was killed is tried to be removed, and with what pause. */
const tries = 50;
const pauseMs = 20;

/** Kills what is left of a container, and removes its cgroup, so that its name is free: one that is not there is fine. */
export async function endContainer(guest: Guest, id: string): Promise<void> {
  const program = removeCgroup(id);
  for (let tried = 1; ; tried++) {
    try {
      await guest.call(program);
      return;
    } catch (error) {
      // Its processes take a moment to die.
      if (tried === tries) throw error;
      await Bun.sleep(pauseMs);
    }
  }
}

function removeCgroup(id: string): Program {
  const p = new Assembler();
  const gone = p.label();
  p.doing("remove the container's cgroup in the guest");
  const path = [AT_FDCWD, p.text(`${cgroupOf(id)}/cgroup.kill`), O_WRONLY | O_CLOEXEC];
  const file = p.value("openat", path, { accept: ["ENOENT"], otherwise: gone });
  writeText(p, file, "1");
  close(p, file);
  new CgroupTree(p, id, gone).removeChildren();
  p.syscall("unlinkat", [AT_FDCWD, p.text(cgroupOf(id)), AT_REMOVEDIR]);
  p.place(gone);
  return p.assemble();
}
