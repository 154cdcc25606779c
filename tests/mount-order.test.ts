/** Mounts are made one after the other, and a bind mount's source may be what those before it have put into the root: config.md, "Mounts". */
import { expect } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./support/bundle";
import { hostTest, type Rig, runvTest } from "./support/rig";

const mappings = {
  uidMappings: [{ containerID: 0, hostID: 0, size: 65536 }],
  gidMappings: [{ containerID: 0, hostID: 0, size: 65536 }],
};

/** Each of three directories has one with a file that says where it is. */
function makeSources(directory: string): string {
  const sources = join(directory, "sources");
  for (const path of ["a/x", "b/y", "c/z"]) {
    mkdirSync(join(sources, path), { recursive: true });
    writeFileSync(join(sources, path, "file"), `${path}\n`);
    symlinkSync(path[0]!, join(sources, `link-${path[0]}`));
  }
  return sources;
}

/** What runc's suite has as "mount order", and more of the kind. */
async function order({ runv, bundle, id, directory }: Rig): Promise<void> {
  const sources = makeSources(directory);
  const make = (change: (config: Config, root: string) => void, args: string) =>
    bundle({
      args: ["sh", "-c", args],
      change(config) {
        config.root.readonly = false;
        change(config, config.root.path);
      },
    });
  const bind = (source: string, destination: string, ...options: string[]) => ({
    ...{ source, destination, type: "bind" },
    options: options.length > 0 ? options : ["rbind", "rprivate"],
  });
  const tree = ({ mounts }: Config, root: string) => {
    mkdirSync(join(root, "mnt"), { recursive: true });
    mounts.push(
      bind(`${sources}/a`, "/mnt"),
      bind(`${sources}/link-b`, "/mnt/x"),
      bind(`${sources}/c`, "/mnt/x/y"),
      bind(`${sources}/link-a`, "/mnt/x/y/z"),
      bind(`${root}/mnt/x`, `${root}/mnt/x/y/z/x`),
      bind(`${root}/mnt/x/y`, `${root}/mnt/x/y/z`),
      bind(`${root}/mnt`, `${root}/final`),
    );
  };
  const deep = "cat /final/x/y/z/z/x/y/z/x/file";
  const plain = await make(tree, deep);
  expect(await runv(["run", "-b", plain, id("tree")])).toEqual({ code: 0, stdout: "a/x\n", stderr: "" });
  const inNamespace = await make((config, root) => {
    tree(config, root);
    config.linux.namespaces.push({ type: "user" });
    Object.assign(config.linux, mappings);
  }, deep);
  expect(await runv(["run", "-b", inNamespace, id("user")])).toEqual({ code: 0, stdout: "a/x\n", stderr: "" });

  const kinds = await make(
    ({ mounts }, root) => {
      // What the host has at the same path is not what the container sees there.
      mkdirSync(join(root, "t"));
      writeFileSync(join(root, "t/file"), "of the image\n");
      symlinkSync("t/file", join(root, "link"));
      writeFileSync(join(root, "before"), "before\n");
      mounts.push(
        bind(`${root}/t`, "/early", "bind"),
        bind(`${sources}/b/y`, "/t", "bind", "ro"),
        bind(`${root}/t/file`, "/one", "bind", "ro"),
        bind(`${root}/link`, "/through", "bind"),
        { destination: "/memory", type: "tmpfs", source: "tmpfs", options: ["nosuid", "size=64k"] },
        bind(`${root}/memory`, "/again", "bind", "noexec"),
        bind(`${root}/`, "/all", "bind"),
        bind(root, "/whole", "rbind"),
      );
    },
    `cat /early/file /one /t/file /through /all/t/file /all/before /whole/t/file
echo word >/memory/new; cat /again/new; echo x 2>&1 >/one
grep -c '^tmpfs /again tmpfs rw,noexec,.*size=64k' /proc/mounts; test -d /whole/proc/self && echo proc; ls /all/proc /whole/memory`,
  );
  const { code, stdout, stderr } = await runv(["run", "-b", kinds, id("kinds")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.split("\n")).toEqual([
    "of the image",
    "b/y",
    "b/y",
    "b/y",
    "of the image",
    "before",
    "b/y",
    "word",
    "sh: can't create /one: Read-only file system",
    "1",
    "proc",
    "/all/proc:",
    "",
    "/whole/memory:",
    "new",
    "",
  ]);
}

runvTest("a bind mount of what earlier mounts have made", order);
hostTest("a bind mount of what earlier mounts have made, without a machine", order);
