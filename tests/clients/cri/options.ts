/** What pods and containers are made with, as words: the fields of CRI's PodSandboxConfig and ContainerConfig that the rows need. */
import type { Message } from "./protobuf";

/** NamespaceMode. */
const modes: Record<string, number> = { pod: 0, container: 1, node: 2 };
/** MountPropagation. */
const propagations: Record<string, number> = { private: 0, rslave: 1, rshared: 2 };
/** SecurityProfile.ProfileType. */
const profiles: Record<string, number> = { runtime: 0, unconfined: 1 };

type Option = (value: string) => Message;

const security = (fields: Message): Message => ({ 15: { 2: fields } });
const ofPod = (fields: Message): Message => ({ 8: { 2: fields } });

const container: Record<string, Option> = {
  user: (uid) => security({ 5: { 1: Number(uid) } }),
  group: (gid) => security({ 12: { 1: Number(gid) } }),
  username: (name) => security({ 6: name }),
  groups: (gids) => security({ 8: gids.split(",").map(Number) }),
  readonly: () => security({ 7: 1 }),
  "no-new-privileges": () => security({ 11: 1 }),
  add: (name) => security({ 1: { 1: [name] } }),
  drop: (name) => security({ 1: { 2: [name] } }),
  mask: (path) => security({ 13: [path] }),
  "read-only-path": (path) => security({ 14: [path] }),
  seccomp: (profile) => security({ 15: { 1: profiles[profile] } }),
  pid: (mode) => security({ 3: { 2: modes[mode] } }),
  ipc: (mode) => security({ 3: { 3: modes[mode] } }),
  network: (mode) => security({ 3: { 1: modes[mode] } }),
  mount: (value) => {
    const [source, target, propagation = "private"] = value.split(":");
    return { 7: [{ 1: target, 2: source, 5: propagations[propagation] }] };
  },
  device: (path) => ({ 8: [{ 1: path, 2: path, 3: "rwm" }] }),
  workdir: (path) => ({ 5: path }),
  env: (value) => {
    const [name, ...rest] = value.split("=");
    return { 6: [{ 1: name, 2: rest.join("=") }] };
  },
  stdin: () => ({ 12: 1 }),
};

const pod: Record<string, Option> = {
  dns: (value) => {
    const [server = "", search = "", option = ""] = value.split(",");
    return { 4: { 1: [server], 2: [search], 3: [option] } };
  },
  port: (value) => {
    const [host, inside] = value.split(":");
    return { 5: [{ 2: Number(inside), 3: Number(host) }] };
  },
  sysctl: (value) => {
    const [name, setting] = value.split("=");
    return { 8: { 3: [{ 1: name, 2: setting }] } };
  },
  pid: (mode) => ofPod({ 1: { 2: modes[mode] } }),
  ipc: (mode) => ofPod({ 1: { 3: modes[mode] } }),
  network: (mode) => ofPod({ 1: { 1: modes[mode] } }),
  "no-hostname": () => ({ 2: "" }),
};

/** The fields that such words stand for: `NAME` or `NAME=VALUE` each. @throws Error of a word that is none */
export const containerOptions = (words: string | undefined): Message => optionsOf(container, words);
/** The same of a pod. */
export const podOptions = (words: string | undefined): Message => optionsOf(pod, words);

function optionsOf(known: Record<string, Option>, words = ""): Message {
  return words
    .split(" ")
    .filter(Boolean)
    .map((word) => {
      const [name = "", ...value] = word.split("=");
      const option = known[name];
      if (option === undefined) throw new Error(`no such option: ${word}`);
      return option(value.join("="));
    })
    .reduce(merge, {});
}

/** Two messages in one: of lists all entries, of values the second's. */
export function merge(one: Message, other: Message): Message {
  const merged = { ...one };
  for (const [key, value] of Object.entries(other)) {
    const field = Number(key);
    const before = merged[field];
    if (Array.isArray(before) && Array.isArray(value)) merged[field] = [...before, ...value];
    else if (isMessage(before) && isMessage(value)) merged[field] = merge(before, value);
    else merged[field] = value;
  }
  return merged;
}

function isMessage(value: Message[number]): value is Message {
  return typeof value === "object" && !Array.isArray(value);
}
