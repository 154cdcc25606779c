/** runv in a chroot, on a mount or on a plain directory: its root is not that of its mount namespace. All of it works there, forks too. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { partsOf } from "./drivers/support/parts";
import { clean, runvTest, templatesOf } from "./support/rig";
import { marker } from "./support/runv";
import { holders, parentOf, readyProcess } from "./support/template-process";

/** Ways to have this machine's files below $0, each in a mount namespace that has nothing else to do. */
const worlds = {
  "a mount": 'mount --rbind / "$0"',
  "a plain directory": `
    for path in /*; do
      if [ -L $path ]; then cp -P -u $path "$0"; continue; fi
      [ -d $path ] || continue
      mkdir -p "$0$path"
      mount --rbind $path "$0$path"
    done`,
};

for (const [name, make] of Object.entries(worlds)) {
  runvTest(`in a chroot on ${name}`, async (rig) => {
    const root = join(rig.directory, "chroot");
    mkdirSync(root);
    const said = join(rig.directory, "said");
    const runv = async (...args: string[]) => {
      const words = rig.command(["--driver", "tcg", "--template", templatesOf(rig), ...args]);
      const script = `set -e; ${make}; exec chroot "$0" "$@"`;
      writeFileSync(said, "");
      const file = Bun.file(said);
      const child = Bun.spawn(["unshare", "-m", "sh", "-c", script, root, ...words], {
        env: { ...process.env, [marker]: rig.name },
        stdio: ["ignore", file, file],
      });
      const code = await child.exited;
      return { code, said: readFileSync(said, "utf8") };
    };
    const done = { code: 0, said: "" };
    const bundle = await rig.bundle({ args: ["sleep", "100000"] });
    const [started, forked] = [rig.id("started"), rig.id("forked")];
    expect(await runv("run", "-d", "-b", bundle, started)).toEqual(done);
    await readyProcess(rig);
    expect(await runv("run", "-d", "-b", bundle, forked)).toEqual(done);
    expect(holders(rig)).toContain(parentOf(parentOf(partsOf(rig, forked).machine!)));
    expect(await runv("exec", forked, "echo", "here")).toEqual({ code: 0, said: "here\n" });
    expect((await runv("ps", forked, "-eo", "pid,args")).said).toContain("sleep 100000");
    expect(readFileSync("/proc/1/mounts", "utf8")).not.toContain(root);
    await clean(rig);
    // It would stay for a while, with files of the chroot open.
    expect(await runv("template", "stop", "--all")).toEqual(done);
  });
}
