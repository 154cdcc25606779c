/**
 * The packages of `./package`: what is in them, and what becomes of a system that installs one, is upgraded to a newer one while containers run, and is rid of it
 * (`packages/walk`): this system's files, under an overlay, or those of the world in which this is run.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { version } from "../package.json";
import { copyProject } from "./support/copy-project";
import { patience } from "./support/patience";

const project = join(import.meta.dir, "..");
const upgraded = "2.9.9";
const epoch = "1796000000";
let out = "";

async function run(command: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn(command, {
    cwd: project,
    env: { ...process.env, LC_ALL: "C", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

/** As the file of a package is called. */
function fileOf(kind: "deb" | "rpm", version: string, revision = 1): string {
  const arm = process.arch === "arm64";
  if (kind === "deb") return `runv_${version}-${revision}_${arm ? "arm64" : "amd64"}.deb`;
  return `runv-${version}-${revision}.${arm ? "aarch64" : "x86_64"}.rpm`;
}

const deb = (revision: number) => join(out, fileOf("deb", version, revision));

beforeAll(async () => {
  out = mkdtempSync("/tmp/runv-packages-");
  for (const revision of ["1", "2"]) {
    const { code, stderr } = await run(["./package", "deb", out], {
      PACKAGE_REVISION: revision,
      SOURCE_DATE_EPOCH: epoch,
    });
    if (code !== 0) throw new Error(stderr);
  }
}, 240_000 * patience);
afterAll(() => rmSync(out, { recursive: true }));

/** What both kinds of package hold, besides a page of the manual for each command. */
const files = [
  ...[
    "/etc/runv/config.toml",
    "/usr/bin/runv",
    "/usr/bin/runv-containerd",
    "/usr/bin/runv-ctr",
    "/usr/bin/containerd-shim-runv-v2",
  ],
  ...["/usr/lib/systemd/system/runv-containerd.service", "/usr/lib/systemd/system/runv-pool.service"],
  ...["/usr/share/doc/runv/copyright", "/usr/share/doc/runv/changelog.gz"],
  ...["runv", "runv-containerd", "runv-ctr"].map((name) => `/usr/share/bash-completion/completions/${name}`),
  ...["runv", "runv-containerd", "runv-ctr"].map((name) => `/usr/share/fish/vendor_completions.d/${name}.fish`),
];

test("the deb holds what is expected, root's, as old as SOURCE_DATE_EPOCH says", async () => {
  const lines = (await run(["dpkg-deb", "-c", deb(1)], { TZ: "UTC" })).stdout.trim().split("\n");
  const entries = lines.map((line) => /^(\S+) (\S+) +\d+ (\S+) \S+ \.(\/[^ ]*)/.exec(line)!.slice(1));
  const paths = entries.map(([, , , path]) => path!).filter((path) => !path.endsWith("/"));
  const pages = paths.filter((path) => path.startsWith("/usr/share/man/man8/"));
  expect(pages).toContain("/usr/share/man/man8/runv.8.gz");
  expect(pages.length).toBeGreaterThan(20);
  expect(paths.filter((path) => !pages.includes(path)).sort()).toEqual(
    [...files, "/usr/share/zsh/vendor-completions/_runv"].sort(),
  );
  expect(new Set(entries.map(([, owner]) => owner))).toEqual(new Set(["root/root"]));
  expect(new Set(entries.map(([, , date]) => date))).toEqual(new Set(["2026-11-30"]));
  const modes = Object.fromEntries(entries.map(([mode, , , path]) => [path, mode]));
  expect(modes["/usr/bin/runv"]).toBe("-rwxr-xr-x");
  expect(modes["/etc/runv/config.toml"]).toBe("-rw-r--r--");
});

test("its configuration is a conffile, its sums are right, its scripts are sh", async () => {
  const control = join(out, "control");
  expect((await run(["dpkg-deb", "-e", deb(1), control])).code).toBe(0);
  expect(await Bun.file(join(control, "conffiles")).text()).toBe("/etc/runv/config.toml\n");
  for (const script of ["postinst", "prerm", "postrm"]) {
    expect(await run(["sh", "-n", join(control, script)])).toEqual({ code: 0, stdout: "", stderr: "" });
  }
  const tree = join(out, "tree");
  mkdirSync(tree);
  await run(["dpkg-deb", "-x", deb(1), tree]);
  const sums = await run([
    "sh",
    "-c",
    `cd ${tree} && md5sum --quiet -c ${control}/md5sums && wc -l <${control}/md5sums`,
  ]);
  expect(sums).toMatchObject({ code: 0, stderr: "" });
  expect(Number(sums.stdout)).toBeGreaterThan(files.length);
  rmSync(tree, { recursive: true });
});

test("what is made again is the same, byte for byte", async () => {
  const sum = async (revision: number) =>
    (await run(["bash", "-c", `dpkg-deb --fsys-tarfile ${deb(revision)} | sha256sum`])).stdout;
  expect(await sum(1)).toMatch(/^[0-9a-f]{64} /);
  expect(await sum(1)).toBe(await sum(2));
});

test(
  "one for the other architecture has its executable, and needs its QEMU",
  async () => {
    const other = process.arch === "arm64" ? "amd64" : "arm64";
    const { code, stderr } = await run(["./package", "--arch", other, "deb", out]);
    if (code !== 0) throw new Error(stderr);
    const path = join(out, `runv_${version}-1_${other}.deb`);
    const fields = await run(["dpkg-deb", "-f", path, "Architecture", "Depends", "Suggests"]);
    const [own, foreign] = other === "arm64" ? ["arm", "x86"] : ["x86", "arm"];
    expect(fields.stdout).toContain(`Architecture: ${other}\nDepends: libc6, qemu-system-${own} (>=`);
    expect(fields.stdout).toContain(`Suggests: qemu-system-${foreign}, `);
    const header = await run([
      "bash",
      "-c",
      `dpkg-deb --fsys-tarfile ${path} | tar -xO ./usr/bin/runv | od -An -tu2 -j18 -N2`,
    ]);
    // e_machine of elf(5).
    expect(Number(header.stdout)).toBe(other === "arm64" ? 183 : 62);
  },
  240_000 * patience,
);

test("what is no kind of package, and no revision, is refused", async () => {
  expect(await run(["./package", "apk"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("usage: ./package"),
  });
  const bad = await run(["./package", "deb", out], { PACKAGE_REVISION: "x/y" });
  expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining("PACKAGE_REVISION=x/y") });
});

/** Makes a copy of the project one of a higher version, and its package. */
const newer = `
sed -i 's/^  "version": "[^"]*"/  "version": "${upgraded}"/' "$1/package.json"
"$1/package" "$2" "$3"`;

/** Of what runv has made in this system a walk sees nothing but kernels that were downloaded: a purge removes it all, and whole worlds take long. */
const without = `
mkdir -p "$1"/files/{etc,var/lib,var/cache/runv}
for path in /etc/runv /var/lib/runv /var/lib/hyper /var/cache/runv/*; do
  [[ $path = */linux-* ]] || [ ! -e "$path" ] || mknod "$1/files$path" c 0 0
done`;

async function shell(script: string, ...words: string[]): Promise<void> {
  const { code, stderr } = await run(["bash", "-euo", "pipefail", "-c", script, "shell", ...words]);
  if (code !== 0) throw new Error(stderr);
}

for (const kind of ["deb", "rpm"] as const) {
  test(
    `${kind}: installed, upgraded while containers run, removed, and nothing is left`,
    async () => {
      const upper = mkdtempSync("/tmp/runv-packages-walk-");
      try {
        const packages = join(upper, "files/root/packages");
        cpSync(join(project, "tests/packages"), packages, { recursive: true });
        await shell('./package "$@"', kind, packages);
        await copyProject(join(upper, "newer"));
        await shell(newer, join(upper, "newer"), kind, packages);
        await shell(without, upper);
        const files = [version, upgraded].map((each) => `/root/packages/${fileOf(kind, each)}`);
        const words = ["--upper", upper, "/", "--", "bash", "/root/packages/walk", kind, ...files];
        const { code, stdout } = await run(["tests/worlds/enter", ...words], { RUNV_UPGRADED: upgraded });
        expect(stdout).toContain("walk: nothing left: ");
        expect(code).toBe(0);
      } finally {
        rmSync(upper, { recursive: true });
      }
    },
    600_000 * patience,
  );
}
