/**
 * What a test leaves behind. Things are a test's own when they carry its rig's name, in a path, a command line or an
 * environment; what cannot carry a name (interfaces, shared directories) is compared with how it was before.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { patience } from "./patience";
import { processesOf } from "./processes";

/** @returns what there is now that was not there when this was called */
export function leakFinder(rig: string, root: string): () => string[] {
  const before = new Set(shared());
  // The process of a template is to stay as long as that.
  const own = (text: string) => text.includes(rig) && !text.includes(`${rig}/templates/`);
  return () => [
    ...processesOf(rig),
    ...lines("/proc/self/mountinfo")
      .filter(own)
      .map((line) => `mount ${line}`),
    ...lines("/proc/net/unix")
      .filter(own)
      .map((line) => `socket ${line.split(" ").at(-1)}`),
    ...cgroups().filter(own),
    ...entries("/run/netns").filter(own),
    ...list(root).filter((path) => path !== join(root, ".sandboxes")),
    ...shared().filter((item) => !before.has(item) && (own(item) || !/runv-test-\w{6}/.test(item))),
  ];
}

/**
 * Waits until nothing of a test is left: a killed process takes a moment to go, and there is nothing to be woken by.
 * @returns what is still there after two seconds, or more where all is slow
 */
export async function settle(find: () => string[]): Promise<string[]> {
  const deadline = performance.now() + 2000 * patience;
  let found = find();
  while (found.length > 0 && performance.now() < deadline) {
    await Bun.sleep(10);
    found = find();
  }
  return found;
}

/** Names on the machine that are nobody's in particular. Other tests' directories (mkdtemp(3)'s) are theirs to clean. */
function shared(): string[] {
  const temporary = entries("/tmp").filter((name) => name.startsWith("runv") && !/^runv-\w+-\w{6}$/.test(name));
  return [
    ...entries("/sys/class/net").map((name) => `network interface ${name}`),
    ...entries("/run/netns")
      .filter((name) => !/^runv-\w+-\w{6}/.test(name))
      .map((name) => `network namespace ${name}`),
    ...list("/run/runv"),
    ...temporary.map((name) => `/tmp/${name}`),
  ];
}

function cgroups(): string[] {
  const directories = (path: string): string[] =>
    readdir(path)
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(path, name))
      .flatMap((child) => [child, ...directories(child)]);
  return directories("/sys/fs/cgroup");
}

/** Everything below a directory. */
function list(path: string): string[] {
  return readdir(path).flatMap((entry) => {
    const child = join(path, entry.name);
    return entry.isDirectory() ? [child, ...list(child)] : [child];
  });
}

function readdir(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function entries(path: string): string[] {
  return readdir(path).map(({ name }) => name);
}

function lines(file: string): string[] {
  return readFileSync(file, "utf8").split("\n");
}
