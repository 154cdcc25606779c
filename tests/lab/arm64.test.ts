/** A host of arm64: the executable that is made for one anywhere, KVM, and what is refused there. More of it by hand: docs/arm64.md. */
import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const name = "on a host of arm64 a container runs in KVM, and again in a clone; other drivers are refused by name";

const script = `
bundle=/tmp/bundle
mkdir -p $bundle/rootfs/{bin,dev,etc,proc,sys,tmp}
cp /bin/busybox $bundle/rootfs/bin/sh
dist/runv spec --bundle $bundle
sed -i -e 's/"terminal": true/"terminal": false/' -e 's/^\\(\\t*\\)"sh"$/\\1"sh", "-c", "exec -a uname sh -m"/' $bundle/config.json
for number in 1 2; do dist/runv --driver kvm run --bundle $bundle lab-$number; done
dist/runv check | sed -n 's/^ok  *\\(kvm\\|openat2\\|qemu\\|trial\\)  .*/\\1/p'
dist/runv --driver xen run --bundle $bundle refused 2>&1 || true
dist/runv template ls | wc -l
dist/runv list -q`;

if (process.arch !== "x64") {
  process.stderr.write(`${name}: skipped: this machine is one itself, or none that has the lab\n`);
  test.skip(name, () => {});
} else {
  test(name, async () => {
    const results = mkdtempSync(join(tmpdir(), "runv-lab-"));
    // What Bun calls a pipe is a socket, to which a lab's machine cannot write.
    const path = join(results, "output");
    const [said, told] = [openSync(path, "w"), openSync(`${path}.lab`, "w")];
    try {
      const lab = ["lab/run", "--timeout", "600", "arm64", "bash", "-euc", script];
      const child = Bun.spawn(lab, { cwd: join(import.meta.dir, "../.."), stdio: ["ignore", said, told] });
      const code = await child.exited;
      expect({ code, output: readFileSync(path, "utf8"), lab: readFileSync(`${path}.lab`, "utf8") }).toMatchObject({
        code: 0,
        output: expect.stringMatching(
          /^aarch64\naarch64\nopenat2\nqemu\nkvm\ntrial\n.*the driver xen has no machines on hosts of arm64.*\n(.*\n)*2\n$/,
        ),
      });
    } finally {
      for (const fd of [said, told]) closeSync(fd);
      rmSync(results, { recursive: true });
    }
  }, 660_000);
}
