/** Chooses modules with all that they depend on, in the order in which they can be loaded. */
import { RunvError } from "../base/error";
import type { ModuleInfo } from "./module-info";
import { providers } from "./module-names";

export interface ModuleSource {
  has(name: string): boolean;
  isBuiltin(name: string): boolean;
  info(name: string): Promise<ModuleInfo>;
}

export interface Picked {
  /** Loaded by init, in this order. */
  boot: string[];
  /** Loaded later, each with the modules to be loaded before it, in order, those of `boot` left out. */
  extra: Map<string, string[]>;
}

export interface Wanted {
  boot: readonly string[];
  extra: readonly string[];
  required: readonly string[];
}

export async function pickModules(source: ModuleSource, wanted: Wanted): Promise<Picked> {
  const missing = wanted.required.filter((name) => !source.has(name) && !source.isBuiltin(name));
  if (missing.length > 0) {
    throw new RunvError("IMAGE_MODULES_MISSING", `the kernel lacks what the guest needs: ${missing.join(", ")}`, {
      hint: "take a kernel with 9p and virtio, built in or as modules; Debian's cloud kernels have no 9p",
    });
  }
  const boot = await loadOrder(source, wanted.boot);
  const order = (await loadOrder(source, wanted.extra)).filter((name) => !boot.includes(name));
  const extra = new Map<string, string[]>();
  for (const name of order) {
    const before = await loadOrder(source, [name]);
    extra.set(
      name,
      before.filter((other) => other !== name && !boot.includes(other)),
    );
  }
  return { boot, extra: new Map([...extra].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/**
 * Chooses what the kernel may ask for by itself: each with all modules to load for it, in order, itself last. What they need is among them, for the
 * kernel may ask for that by a name of its own first: iptables opens a socket of nfnetlink's before it asks for anything of nf_tables.
 * @param names of modules; one whose dependencies are not all there is left out
 */
export async function pickOnDemand(source: ModuleSource, names: readonly string[]): Promise<Map<string, string[]>> {
  const picked = new Map<string, string[]>();
  for (const name of [...names].sort()) {
    if (source.isBuiltin(name)) continue;
    try {
      picked.set(name, await loadOrder(source, [name]));
    } catch (error) {
      if (!(error instanceof RunvError) || error.code !== "IMAGE_MODULES_MISSING") throw error;
    }
  }
  for (const name of new Set([...picked.values()].flat())) {
    if (!picked.has(name)) picked.set(name, await loadOrder(source, [name]));
  }
  return new Map([...picked].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The modules and all that they need, each after those it needs. What is built in or unknown is left out. */
async function loadOrder(source: ModuleSource, names: readonly string[]): Promise<string[]> {
  const order: string[] = [];
  const entered = new Set<string>();
  const visit = async (name: string, neededBy?: string): Promise<void> => {
    if (entered.has(name) || source.isBuiltin(name)) return;
    entered.add(name);
    if (!source.has(name)) {
      if (neededBy === undefined) return;
      throw new RunvError("IMAGE_MODULES_MISSING", `module ${neededBy} depends on ${name}, which is not there`);
    }
    const { depends, softBefore } = await source.info(name);
    for (const other of softBefore.map((asked) => providers[asked] ?? asked)) if (source.has(other)) await visit(other);
    for (const other of depends) await visit(other, name);
    order.push(name);
  };
  for (const name of names) await visit(name);
  return order;
}
