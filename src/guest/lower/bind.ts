/** Bind mounts: of what the share holds, and of the machine's own. */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../linux/constants";
import type { MountBelow } from "../../linux/mounts";
import type { Mount } from "../../oci/mounts";
import type { Assembler, Label, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { attach, moveMount, setAttributes } from "./mount-calls";
import { type MountOptions, sortMountOptions } from "./mount-flags";
import { directoryInRoot, fileInRoot, openInRoot } from "./root";

/** Where the source of a bind mount is in the guest. */
export interface BoundSource {
  path: string;
  /** Of what is in the root: undefined. It is seen when it is there. */
  directory?: boolean;
  /** The descriptor, in the container's first process, of a detached mount that stands for it. */
  given?: number;
  /** It is a path in the container's root, where an earlier mount has made it. */
  inRoot?: true;
  /** Options of the host's mount that the bind mount has, too, unless its own say otherwise: `nosuid`. */
  inherited?: readonly string[];
  /** What is mounted below it on the host, where the bind mount takes that along: it is to be a mount of its own here too. */
  below?: readonly MountBelow[];
  /** Its detached mount, when it was taken already, and those below it: −errno where there is none. */
  trees?: { top: Register; below: readonly Register[] };
}

/** Takes the sources of bind mounts while the process is the machine's root, for whom alone their paths are. */
export function takeSources(
  p: Assembler,
  mounts: readonly Mount[],
  sources: ReadonlyMap<number, BoundSource>,
): Map<number, BoundSource> {
  const taken = new Map<number, BoundSource>();
  for (const [index, source] of sources) {
    if (source.inRoot) {
      taken.set(index, source);
      continue;
    }
    const mount = mounts[index]!;
    p.doing(`mount ${mount.source} on ${mount.destination}`);
    taken.set(index, { ...source, trees: takeTrees(p, source, sortMountOptions(mount.options).recursive) });
  }
  return taken;
}

/** Mounts a source on `path` below the container's root. */
export function lowerBind(
  p: Assembler,
  root: Register,
  path: string,
  options: MountOptions,
  source: BoundSource,
): void {
  if (source.inRoot) {
    bindInRoot(p, root, path, options, source.path);
    return;
  }
  const { top, below } = source.trees ?? takeTrees(p, source, options.recursive);
  const target = source.directory ? directoryInRoot(p, root, path) : fileInRoot(p, root, path);
  attach(p, top, target, options, () => {
    for (const [index, mount] of (source.below ?? []).entries()) attachBelow(p, top, below[index]!, mount);
  });
}

/** Mounts what an earlier mount has put into the root, or holds, on another place there. */
function bindInRoot(p: Assembler, root: Register, path: string, options: MountOptions, from: string): void {
  const [file, found] = [p.label(), p.label()];
  const place = openInRoot(p, root, from, O_PATH);
  const tree = p.value("open_tree", [place, p.text(""), cloned(options.recursive) | AT_EMPTY_PATH]);
  p.syscall("close", [place]);
  // Of a file there is no ".".
  const directory = [tree, p.text("."), O_PATH | O_DIRECTORY | O_CLOEXEC] as const;
  p.syscall("openat", directory, { into: place, accept: ["ENOTDIR"], otherwise: file });
  p.syscall("close", [place]);
  const target = directoryInRoot(p, root, path);
  p.jump(found);
  p.place(file);
  const asFile = fileInRoot(p, root, path);
  p.set(target, asFile);
  p.place(found);
  p.release(place, asFile);
  attach(p, tree, target, options);
}

const cloned = (recursive: boolean): number => OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);

function takeTrees(p: Assembler, { path, given, below = [] }: BoundSource, recursive: boolean) {
  if (given !== undefined) {
    const top = p.register();
    p.set(top, given);
    return { top, below: [] };
  }
  return { top: openTree(p, path, recursive), below: below.map((mount) => openTreeBelow(p, `${path}/${mount.path}`)) };
}

function openTree(p: Assembler, path: string, recursive: boolean): Register {
  return p.value("open_tree", [AT_FDCWD, p.text(path), cloned(recursive)]);
}

/** What is hidden by another mount, or that nobody may see, is left out. */
const unseen = { accept: ["ENOENT", "ENOTDIR", "EACCES", "ELOOP"] } as const;

function openTreeBelow(p: Assembler, path: string): Register {
  return p.value("open_tree", [AT_FDCWD, p.text(path), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC], unseen);
}

/** Puts what was mounted in the source on its place in the mount of it, with the attributes that it has on the host. */
function attachBelow(p: Assembler, top: Register, tree: Register, { path, options }: MountBelow): void {
  const [absent, hidden]: Label[] = [p.label(), p.label()] as const;
  p.jumpIf(tree, "<", 0, absent);
  const place = openInRoot(p, top, path, O_PATH, { ...unseen, otherwise: hidden });
  setAttributes(p, tree, sortMountOptions(options).attributes, false);
  moveMount(p, tree, place);
  p.syscall("close", [place]);
  p.place(hidden);
  close(p, tree);
  p.place(absent);
  p.release(place);
}
