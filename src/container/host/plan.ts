/** The program that makes a container on this host, and what it is given. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { RunvError } from "../../base/error";
import { fileProblem } from "../../base/file-problem";
import type { BoundSource } from "../../guest/lower/bind";
import { type ContainerPrograms, lowerContainer } from "../../guest/lower/container";
import type { SharedSettings } from "../../guest/lower/settings";
import type { Bundle } from "../../oci/bundle";
import { isBind } from "../../oci/mounts";
import type { NamespaceType } from "../../oci/namespaces";
import type { OwnCgroup } from "../cgroup/host-cgroup";
import { sourceInRoot, takenBackOf } from "../making/earlier-mounts";
import { hostGround } from "./ground";
import type { GivenDescriptors } from "./process";

export interface HostPlan {
  id: string;
  bundle: Bundle;
  cgroups: readonly OwnCgroup[];
  settings: SharedSettings;
  given: GivenDescriptors;
  /** The namespaces that it joins, by their descriptors in its first process. */
  joined: ReadonlyMap<NamespaceType, number>;
  /** Where it waits for `start`, in that process. */
  listener: number | undefined;
  onlcr: boolean;
  keyring: boolean;
  /** The command returns while the container runs. */
  detach: boolean;
}

/** @throws RunvError CONFIG_UNSUPPORTED, MOUNT_SOURCE */
export function programsOnHost(plan: HostPlan): ContainerPrograms {
  const { id, bundle, cgroups, settings, given, joined, listener, onlcr, keyring, detach } = plan;
  const { config, rootfs } = bundle;
  const ground = hostGround({
    id,
    cgroups,
    waitsAtBirth: hasEarlyHooks(bundle),
    keyring,
    words: given.words,
    detach,
    listener,
  });
  return lowerContainer({
    ...{ id, config, rootfs, settings, joined, onlcr, ground },
    bundle: bundle.bundle,
    sources: sourcesOf(bundle),
    credit: 0,
  });
}

/** Hooks that run when the container's namespaces are there, and nothing is in them. */
export function hasEarlyHooks({ config: { hooks } }: Bundle): boolean {
  return hooks.prestart.length + hooks.createRuntime.length > 0;
}

/** For each bind mount what is mounted, which by itself has the options of its source's mount: a user namespace cannot have it without. */
function sourcesOf(loaded: Bundle): Map<number, BoundSource> {
  const { bundle, config } = loaded;
  const sources = new Map<number, BoundSource>();
  for (const [index, mount] of config.mounts.entries()) {
    if (!isBind(mount)) continue;
    const made = sourceInRoot(loaded, index);
    if (made !== undefined) {
      sources.set(index, made);
      continue;
    }
    const path = resolve(bundle, mount.source ?? "");
    try {
      sources.set(index, { path, directory: statSync(path).isDirectory(), inherited: takenBackOf(loaded, index) });
    } catch (cause) {
      throw new RunvError("MOUNT_SOURCE", `mounts[${index}].source: ${path}: ${fileProblem(cause)}`, { cause });
    }
  }
  return sources;
}
