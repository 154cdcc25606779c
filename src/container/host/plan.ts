/** The program that makes a container on this host, and what it is given. */
import type { BoundSource } from "../../guest/lower/bind";
import { type ContainerPrograms, lowerContainer } from "../../guest/lower/container";
import type { SharedSettings } from "../../guest/lower/settings";
import type { Bundle } from "../../oci/bundle";
import type { NamespaceType } from "../../oci/namespaces";
import type { OwnCgroup } from "../cgroup/host-cgroup";
import { hostGround } from "./ground";
import type { GivenDescriptors } from "./process";

export interface HostPlan {
  id: string;
  bundle: Bundle;
  cgroups: readonly OwnCgroup[];
  settings: SharedSettings;
  given: GivenDescriptors;
  /** The sources of bind mounts, which are opened already. */
  sources: ReadonlyMap<number, BoundSource>;
  /** The namespaces that it joins, by their descriptors in its first process. */
  joined: ReadonlyMap<NamespaceType, number>;
  /** Where it waits for `start`, in that process. */
  listener: number | undefined;
  onlcr: boolean;
  keyring: boolean;
  /** The command returns while the container runs. */
  detach: boolean;
}

/** @throws RunvError CONFIG_UNSUPPORTED */
export function programsOnHost(plan: HostPlan): ContainerPrograms {
  const { id, bundle, cgroups, settings, given, sources, joined, listener, onlcr, keyring, detach } = plan;
  const { config, rootfs } = bundle;
  const ground = hostGround({
    id,
    cgroups,
    waitsAtBirth: hasEarlyHooks(bundle),
    keyring,
    words: given.words,
    detach,
    listener,
    profile: config.process.apparmorProfile,
  });
  return lowerContainer({
    ...{ id, config, rootfs, settings, sources, joined, onlcr, ground },
    bundle: bundle.bundle,
    credit: 0,
  });
}

/** Hooks that run when the container's namespaces are there, and nothing is in them. */
export function hasEarlyHooks({ config: { hooks } }: Bundle): boolean {
  return hooks.prestart.length + hooks.createRuntime.length > 0;
}
