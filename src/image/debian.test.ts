/** With apt and dpkg-deb themselves, on a repository of packages that are made here: shapes of Debian's, next to nothing inside. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { debianKernel } from "./debian";
import { run } from "./run";

const apt = ["apt-get", "dpkg-deb"].every((program) => Bun.which(program) !== null);
const withApt = apt
  ? test
  : (name: string, _: () => Promise<void>) => test.skip(`${name}: this is no Debian`, () => {});

const scratch = mkdtempSync(join(tmpdir(), "runv-debian-"));
const before = process.env.APT_CONFIG;
afterAll(() => {
  if (before === undefined) delete process.env.APT_CONFIG;
  else process.env.APT_CONFIG = before;
  rmSync(scratch, { recursive: true });
});

const arch = process.arch === "arm64" ? "arm64" : "amd64";
const meta = `linux-image-${arch}`;
type Packages = Record<string, { depends?: string; files?: string[] }>;

/** Has apt know these packages and no others; returns a cache that is empty. */
async function repository(name: string, packages: Packages): Promise<string> {
  const home = join(scratch, name);
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), text);
  };
  let lists = "";
  for (const [name, { depends, files = [] }] of Object.entries(packages)) {
    const control = [`Package: ${name}`, "Version: 1:1-2", `Architecture: ${arch}`, "Maintainer: a <a@b>"];
    if (depends !== undefined) control.push(`Depends: ${depends}`);
    control.push("Description: a test");
    put(`${name}/DEBIAN/control`, `${control.join("\n")}\n`);
    for (const file of files) put(`${name}/${file}`, file);
    await run(["dpkg-deb", "--root-owner-group", "--build", join(home, name), join(home, `${name}.deb`)]);
    const bytes = await Bun.file(join(home, `${name}.deb`)).bytes();
    const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    lists += `${[...control, `Filename: ./${name}.deb`, `Size: ${bytes.length}`, `SHA256: ${sha256}`].join("\n")}\n\n`;
  }
  put("Packages", lists);
  put("sources.list", `deb [trusted=yes] file:${home} ./\n`);
  for (const path of ["state/lists/partial", "cache/archives/partial", "parts"])
    mkdirSync(join(home, path), { recursive: true });
  put("status", "");
  const settings = [
    ...[`Dir::State "${home}/state"`, `Dir::State::status "${home}/status"`, `Dir::Cache "${home}/cache"`],
    ...[`Dir::Etc::main "/dev/null"`, `Dir::Etc::parts "${home}/parts"`],
    ...[`Dir::Etc::sourcelist "${home}/sources.list"`, `Dir::Etc::sourceparts "${home}/parts"`],
    ...[`APT::Sandbox::User "root"`, `APT::Architecture "${arch}"`, `Acquire::Languages "none"`],
  ];
  put("apt.conf", settings.map((setting) => `${setting};\n`).join(""));
  process.env.APT_CONFIG = join(home, "apt.conf");
  await run(["apt-get", "update", "-q"]);
  return join(home, "runv");
}

const modules = (release: string, tree = "lib/modules") =>
  ["modules.builtin", "kernel/fs/9p/9p.ko.xz", "kernel/sound/snd.ko"].map((file) => `${tree}/${release}/${file}`);
const quiet = () => {};

withApt("Debian 12: a package with lib/modules; unpacked once, without what no guest uses", async () => {
  const cache = await repository("12", {
    [meta]: { depends: "linux-image-6.1-x (= 1:1-2)" },
    "linux-image-6.1-x": { files: ["boot/vmlinuz-6.1-x", "boot/System.map-6.1-x", ...modules("6.1-x")] },
  });
  const found = await debianKernel(cache, quiet);
  expect(found).toMatchObject({ name: "linux-image-6.1-x 1:1-2", release: "6.1-x" });
  expect(existsSync(found.kernel)).toBe(true);
  expect(readdirSync(join(found.modules, "kernel"))).toEqual(["fs"]);
  expect(readdirSync(join(found.tree, "boot"))).toEqual(["vmlinuz-6.1-x"]);
  const said: string[] = [];
  expect(await debianKernel(cache, (line) => said.push(line))).toEqual(found);
  expect(said).toEqual([]);
});

const thirteen: Packages = {
  [meta]: { depends: "linux-image-6.12-x (= 1:1-2)" },
  "linux-image-6.12-x": { files: ["boot/vmlinuz-6.12-x", ...modules("6.12-x", "usr/lib/modules")] },
};

withApt("Debian 13: modules in usr/lib; a tree without them, of an older runv, is made again", async () => {
  const cache = await repository("13", thirteen);
  const old = join(cache, "linux-image-6.12-x_1%3a1-2");
  mkdirSync(join(old, "boot"), { recursive: true });
  writeFileSync(join(old, "boot/vmlinuz-6.12-x"), "old");
  const { kernel, modules, tree } = await debianKernel(cache, quiet);
  expect(tree).toBe(old);
  expect(await Bun.file(kernel).text()).toBe("boot/vmlinuz-6.12-x");
  expect(existsSync(join(modules, "modules.builtin"))).toBe(true);
  // Under both names, for depmod(8) and those who look for the old one.
  expect(existsSync(join(tree, "usr/lib/modules/6.12-x"))).toBe(true);
  expect(readdirSync(cache)).toEqual(["linux-image-6.12-x_1%3a1-2"]);
});

withApt("Debian after 13: kernel, modules and their lists in packages of their own", async () => {
  const cache = await repository("14", {
    [meta]: { depends: `linux-base-${arch}, linux-image-7.2-x (= 1:1-2)` },
    "linux-image-7.2-x": { depends: "linux-base-7.2-x, linux-binary-7.2-x, linux-modules-7.2-x", files: [] },
    "linux-binary-7.2-x": { depends: "linux-base-7.2-x", files: ["usr/lib/modules/7.2-x/vmlinuz"] },
    "linux-modules-7.2-x": { files: ["usr/lib/modules/7.2-x/kernel/9p.ko.xz"] },
    "linux-base-7.2-x": { files: ["usr/lib/modules/7.2-x/modules.builtin", "usr/lib/modules/7.2-x/System.map"] },
  });
  const { kernel, modules } = await debianKernel(cache, quiet);
  expect(await Bun.file(kernel).text()).toBe("usr/lib/modules/7.2-x/vmlinuz");
  expect(readdirSync(modules).sort()).toEqual(["kernel", "modules.builtin", "vmlinuz"]);
});

withApt("packages without a kernel or modules are refused, and nothing of them is kept", async () => {
  const cache = await repository("none", {
    [meta]: { depends: "linux-image-9-x" },
    "linux-image-9-x": { files: ["boot/vmlinuz-9-x"] },
  });
  const failure = await debianKernel(cache, quiet).catch((thrown) => thrown);
  expect(failure).toMatchObject({
    code: "IMAGE_KERNEL_UNUSABLE",
    message: "no modules of 9-x in linux-image-9-x 1:1-2",
  });
  expect(readdirSync(cache)).toEqual([]);
});
