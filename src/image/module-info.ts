/** What a kernel module says of itself in its `.modinfo` section: NUL-separated `key=value`. */
import { bytesOf, readElf } from "./elf";

export interface ModuleInfo {
  /** Modules that must be loaded before, by name. */
  depends: string[];
  /** Modules that `modprobe` would load before, if there are any. */
  softBefore: string[];
  /** Other names by which the kernel asks for it, as modprobe(8) writes them: dashes are underscores. */
  aliases: string[];
}

export function readModuleInfo(module: Uint8Array, what: string): ModuleInfo {
  const section = readElf(module, what).sections.find(({ name }) => name === ".modinfo");
  const text = section === undefined ? "" : Buffer.from(bytesOf(module, section)).toString("latin1");
  const values = (key: string) =>
    text
      .split("\0")
      .filter((line) => line.startsWith(`${key}=`))
      .map((line) => line.slice(key.length + 1));
  return {
    depends: values("depends")
      .flatMap((list) => list.split(","))
      .filter(Boolean)
      .map(moduleName),
    softBefore: values("softdep").flatMap(softBefore).map(moduleName),
    aliases: values("alias").map((alias) => alias.replaceAll("-", "_")),
  };
}

/** The name of a module as the kernel writes it: files may have dashes for underscores. */
export function moduleName(file: string): string {
  const base = file.slice(file.lastIndexOf("/") + 1);
  return base.replace(/\.ko(\.\w+)?$/, "").replaceAll("-", "_");
}

/** `pre: a b post: c` gives a and b. */
function softBefore(text: string): string[] {
  const before = /pre:([^:]*)(?=\s\w+:|$)/.exec(text)?.[1] ?? "";
  return before.split(/\s+/).filter(Boolean);
}
