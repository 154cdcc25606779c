/** `runv restore`: a container that was saved goes on, in a machine of its own. */
import { closeSync, existsSync, openSync } from "node:fs";
import { anyway } from "../base/anyway";
import { RunvError } from "../base/error";
import { fileProblem } from "../base/file-problem";
import type { Settings } from "../base/settings";
import { span } from "../base/trace";
import { freeze } from "../guest/freeze";
import { setTermios, termiosOf } from "../linux/terminal";
import { type Bundle, loadBundle } from "../oci/bundle";
import type { Config } from "../oci/config";
import { Program } from "../program/program";
import { settings } from "../sandbox/settings";
import { remove } from "./delete";
import { type Description, Image, type NamedFile } from "./image/checkpoint-image";
import { digestOf, sizeOf } from "./image/digest";
import { withAnnotations } from "./making/annotations";
import { closeTrees, openTrees, prepareIdMaps, viewOf } from "./making/bundle-mounts";
import { disksOf, openDisk, type WantedDisk } from "./making/disks";
import { runHooks } from "./making/hooks";
import { Making } from "./making/making";
import type { Created } from "./making/parts";
import type { RunOptions } from "./options";
import { initOf, openContainer, withSandbox } from "./record/open";
import { stateOf } from "./record/status";
import { changeRecord, containerDirectory, makeContainerDirectory } from "./record/store";
import { exitCodeOf, passSignals } from "./shim/attend";
import { checkConsole } from "./shim/console";

export interface RestoreOptions extends RunOptions {
  /** The directory of the image. */
  image: string;
}

/** `runv restore`. @returns the exit code: the container's, or 0 when it is left to itself */
export async function restoreContainer(options: RestoreOptions): Promise<number> {
  const { global, id, detach, keep } = options;
  const termios = detach ? undefined : termiosOf(0);
  const { shim } = await restore(options);
  try {
    shim.release();
    if (!detach) passSignals(shim);
    await goOn(global.root, id);
    const code = detach ? 0 : await span("run", () => exitCodeOf(shim));
    if (!detach && !keep) await span("delete", () => anyway(() => remove(global.root, id, true)));
    return code;
  } catch (error) {
    await anyway(() => remove(global.root, id, true));
    throw error;
  } finally {
    if (termios !== undefined) setTermios(0, termios);
  }
}

/** Has the processes of a container that was restored go on. @throws RunvError */
export async function goOn(root: string, id: string): Promise<void> {
  const record = { ...openContainer(root, id).record, paused: false };
  await withSandbox(root, record, (client) =>
    changeRecord(
      root,
      record,
      () => client.thaw(id),
      () => client.guest.call(freeze(id, true)),
    ),
  );
  await runHooks("poststart", record.hooks.poststart, stateOf(root, record));
}

/** Makes the container, up to where its processes are to go on. @throws RunvError; nothing is left behind then */
export async function restore(options: RestoreOptions): Promise<Created> {
  const { global, id } = options;
  if (existsSync(containerDirectory(global.root, id))) {
    throw new RunvError("CONTAINER_EXISTS", "container with given ID already exists");
  }
  const image = new Image(options.image);
  const { description } = image;
  const bundle = asSaved(loadBundle(options.bundle), description);
  if (options.attended === undefined) checkConsole(bundle.config.process, options.consoleSocket, options.detach);
  const opened: number[] = [];
  try {
    const vm = await machineSettings(options, bundle, description);
    const disks: Restored[] = [];
    for (const [index, disk] of disksOf(bundle, options.rootDisk).entries()) {
      const fd = await openSaved(disk, index, image);
      opened.push(fd);
      disks.push({ fd, device: disk.device, format: disk.format, readOnly: disk.readOnly });
    }
    const files = await image.open();
    opened.push(...files.values());
    return await restoreWith(options, vm, bundle, description, {
      memory: files.get(description.memory)!,
      devices: files.get(description.devices)!,
      disks,
    });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** What a machine is restored from: descriptors. */
interface From {
  memory: number;
  devices: number;
  disks: readonly Restored[];
}

/** A disk of such a machine. */
interface Restored extends Pick<WantedDisk, "device" | "format" | "readOnly"> {
  fd: number;
}

async function restoreWith(
  options: RestoreOptions,
  vm: Settings,
  bundle: Bundle,
  description: Description,
  from: From,
) {
  const { id, global } = options;
  const { container, machine: saved } = description;
  const init = initOf(container);
  const trees = openTrees(id, bundle);
  try {
    await prepareIdMaps(trees);
    const making = new Making(options, vm, bundle, undefined);
    makeContainerDirectory(global.root, id);
    try {
      return await making.make(
        {
          lower: () => ({ main: new Program(new Uint8Array(), []), settings: container.settings }),
          share: async () => {},
          shareMemory: async () => {},
          seal: async () => {},
          addDisks: async (_, programs) => ({
            programs,
            ...(container.passwd !== undefined && { passwd: container.passwd }),
          }),
          view: () => viewOf(bundle, trees),
          branch: {
            init,
            size: saved.size,
            record: { of: container.id, share: container.branch?.share ?? container.id, restored: true },
            fork: (sandbox, machine) =>
              sandbox.restore({
                ...{ ...machine, saved, init, container: id, of: container.id },
                ...from,
              }),
          },
        },
        { detach: options.detach, complete: true },
      );
    } catch (error) {
      await making.undo();
      throw error;
    }
  } finally {
    closeTrees(trees);
  }
}

/** The bundle, with the process and the limits that the container had. @throws RunvError CHECKPOINT_DIFFERS when it is not for what was saved */
function asSaved(bundle: Bundle, { container, config: was }: Description): Bundle {
  const { config } = bundle;
  for (const [field, look] of Object.entries(alike)) {
    if (JSON.stringify(look(config)) !== JSON.stringify(look(was))) {
      throw differs(
        `${field} of config.json is not what it was`,
        "--bundle DIR names the bundle of the container that was saved",
      );
    }
  }
  const { process, resources } = container;
  return { ...bundle, config: { ...config, process, linux: { ...config.linux, ...(resources && { resources }) } } };
}

/** What of config.json is part of what was saved: all that a running machine cannot be given anew. */
const alike: Readonly<Record<string, (config: Config) => unknown>> = {
  "process.terminal": ({ process }) => process.terminal,
  "root.readonly": ({ root }) => root.readonly,
  mounts: ({ mounts }) => mounts.map(({ destination, type, options }) => [destination, type, options]),
  "linux.namespaces": ({ linux }) => linux.namespaces.map(({ type }) => type).sort(),
};

/** What cannot be chosen anew for a machine that was saved. */
const fixedOptions = ["arch", "share", "share_cache"];

/** How its machine is made: as it was. @throws RunvError CHECKPOINT_DIFFERS when kernel or initrd are others */
async function machineSettings(options: RestoreOptions, bundle: Bundle, description: Description): Promise<Settings> {
  const global = withAnnotations(options.global, bundle.config.annotations);
  const { driverOptions, driver } = description.machine.made;
  const ofMachine = Object.entries(driverOptions).filter(([key]) => fixedOptions.includes(key));
  const others = Object.entries(global.driverOptions).filter(([key]) => !fixedOptions.includes(key));
  const asked = Object.fromEntries(
    [...others, ...ofMachine].filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  // What has another share is not saved (src/sandbox/whole.ts).
  const vm = settings({ ...global, driver: global.driver ?? driver, driverOptions: { ...asked, share: "9p" } });
  for (const [flag, path] of [
    ["kernel", vm.kernel],
    ["initrd", vm.initrd],
  ] as const) {
    await checkFile(flag, path, description[flag]);
  }
  return vm;
}

async function checkFile(flag: string, path: string, { path: was, sha256 }: NamedFile): Promise<void> {
  const fd = opening(path, () => openSync(path, "r"));
  try {
    if ((await digestOf(fd)) === sha256) return;
  } finally {
    closeSync(fd);
  }
  throw differs(`${path} is not the ${flag} with which it was saved, which was ${was}`, `--${flag} PATH names that`);
}

/** Opens a disk that is what it was. @throws RunvError CHECKPOINT_DIFFERS, DISK_SOURCE */
async function openSaved(disk: WantedDisk, index: number, image: Image): Promise<number> {
  const saved = image.description.disks[index];
  const { path, field, device, format, readOnly, root } = disk;
  if (
    saved === undefined ||
    JSON.stringify([format, readOnly, root]) !== JSON.stringify([saved.format, saved.readOnly, saved.root])
  ) {
    throw differs(`${field} is no disk that it had`, "--bundle DIR names the bundle of the container that was saved");
  }
  const fd = openDisk(path, readOnly, device && root !== undefined, field);
  try {
    if (sizeOf(fd) === saved.size && (await digestOf(fd)) === saved.sha256) return fd;
  } catch (cause) {
    closeSync(fd);
    throw new RunvError("DISK_SOURCE", `${field}: read ${path}: ${fileProblem(cause)}`, { cause });
  }
  closeSync(fd);
  const hint =
    saved.copy === undefined
      ? "a disk that was written to since is no use: checkpoint --leave-running keeps a copy in the image"
      : `the image has it as it was: cp --sparse=always ${image.path(saved.copy)} ${path}`;
  throw differs(`${field}: ${path} is not what it was when the container was saved`, hint);
}

function opening<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new RunvError("CHECKPOINT_MISSING", `restore: ${path}: ${fileProblem(cause)}`, { cause });
  }
}

function differs(what: string, hint: string): RunvError {
  return new RunvError("CHECKPOINT_DIFFERS", `restore: ${what}`, { hint });
}
