/** A network for a benchmark: a bridge in a namespace that stands for the host, and namespaces of containers, each with an interface on it. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ask, time } from "./command";
import type { Rig } from "./rig";

/** The host's address on the bridge. */
export const hostAddress = "10.98.0.1";

export class BenchNetwork {
  readonly #rig: Rig;
  readonly #made: string[] = [];
  readonly #host: string;

  constructor(rig: Rig) {
    this.#rig = rig;
    this.#host = `${basename(rig.directory)}-host`;
    this.#add(this.#host);
    this.#ip(this.#host, "link add bench0 type bridge");
    this.#ip(this.#host, `addr add ${hostAddress}/24 dev bench0`);
    this.#ip(this.#host, "link set bench0 up");
  }

  /** The words of a command line in the host's namespace. */
  onHost(...words: string[]): string[] {
    return ["ip", "netns", "exec", this.#host, ...words];
  }

  /** Makes a namespace with an interface `eth0`, and a bundle whose container is to be in it. @returns the bundle's path */
  bundle(number: number, ...args: string[]): string {
    const name = `${basename(this.#rig.directory)}-${number}`;
    this.#add(name);
    const peer = `bench${number}`;
    this.#ip(this.#host, `link add ${peer} master bench0 type veth peer name eth0 netns ${name}`);
    this.#ip(this.#host, `link set ${peer} up`);
    this.#ip(name, `addr add ${addressOf(number)}/24 dev eth0`);
    this.#ip(name, "link set eth0 up");
    const config = JSON.parse(readFileSync(join(this.#rig.bundle(...args), "config.json"), "utf8"));
    const network = config.linux.namespaces.find(({ type }: { type: string }) => type === "network");
    network.path = `/run/netns/${name}`;
    // For ping.
    for (const set of Object.values<string[]>(config.process.capabilities)) set.push("CAP_NET_RAW");
    // iperf3 changes the size of a file that it has removed already: not on a share (docs/share.md).
    config.process.env.push("TMPDIR=/dev/shm");
    const path = join(this.#rig.directory, `bundle-${name}`);
    mkdirSync(path);
    writeFileSync(join(path, "config.json"), JSON.stringify(config));
    return path;
  }

  remove(): void {
    for (const name of this.#made) time(["ip", "netns", "del", name]);
  }

  #add(name: string): void {
    time(["ip", "netns", "add", name]);
    this.#made.push(name);
  }

  #ip(namespace: string, words: string): void {
    time(["ip", "-n", namespace, ...words.split(" ")]);
  }
}

/** The address of the container with this number, 2 or more. */
export function addressOf(number: number): string {
  return `10.98.0.${number}`;
}

/** Puts a program of this machine, with the libraries that it needs, into the containers' root file system. */
export function installProgram({ rootfs }: Rig, program: string): void {
  const libraries = [...ask(["ldd", program]).matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
  for (const path of [program, ...libraries]) {
    const place = join(rootfs, path);
    mkdirSync(dirname(place), { recursive: true });
    copyFileSync(path, place);
  }
}
