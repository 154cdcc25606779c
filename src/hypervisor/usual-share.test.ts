import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { file, writeCpio } from "../image/cpio";
import { encodeManifest, manifestPath, protocolVersion } from "../image/manifest";
import { checkFiles } from "./check-image";
import { chooseDriver } from "./index";
import { usualShare } from "./usual-share";

const scratch = mkdtempSync(join(tmpdir(), "runv-usual-share-"));
afterAll(() => rmSync(scratch, { recursive: true }));

function initrdFor(kernelRelease: string, builtin = ["virtiofs"]): string {
  const manifest = {
    ...{ format: 1, protocol: protocolVersion, arch: "x86_64", kernelRelease, initSha256: "", kernelSha256: "" },
    modules: { boot: [], extra: {}, builtin },
  };
  const path = join(scratch, kernelRelease);
  writeFileSync(path, writeCpio([file(manifestPath, encodeManifest(manifest))]));
  return path;
}

test("auto is what is right and quick with the guest's kernel", () => {
  const of = (release: string, options = {}) => usualShare(options, initrdFor(release)).share;
  expect(["5.10.0-28-amd64", "6.1.0-57-amd64", "6.3.13"].map((release) => of(release))).toEqual(Array(3).fill("9p"));
  expect(["6.4.0", "6.12.117+deb13-amd64", "7.2.13"].map((release) => of(release))).toEqual(Array(3).fill("fuse"));
  // What is 9p's own.
  expect(of("6.12.0", { share_cache: "loose" })).toBe("9p");
  expect(of("6.12.0", { share_cache: "mmap" })).toBe("fuse");
  expect(usualShare({}, initrdFor("6.12.0", [])).share).toBe("9p");
  expect(usualShare({}, join(scratch, "none")).share).toBe("9p");
});

test("where files have a largest size it is 9p, and it is said why", () => {
  const script = `console.log(JSON.stringify(require("./usual-share").usualShare({}, process.argv.at(-1))))`;
  const limited = ["bash", "-c", 'ulimit -f 65536; exec "$@"', "limited", process.execPath, "-e", script];
  const { stdout } = Bun.spawnSync([...limited, initrdFor("6.12.0")], { cwd: import.meta.dir });
  expect(JSON.parse(stdout.toString())).toEqual({ share: "9p", why: expect.stringContaining("ulimit -f") });
});

test("a driver takes what is usual unless it was told, and check says which it is, and why", async () => {
  const initrd = initrdFor("6.12.0");
  const found = async (options: Record<string, string>) =>
    checkFiles(await chooseDriver("tcg", options), initrd, options).map(({ detail }) => detail);
  expect(await found({ usualShare: "fuse" })).toEqual(["shared over fuse: the guest has Linux 6.12.0"]);
  expect(await found({ usualShare: "fuse", share: "virtiofs" })).toEqual(["shared over virtiofs"]);
  expect(await found({ share: "9p" })).toEqual(["shared over 9p", expect.stringContaining("mapped shared")]);
  // Others have no choice.
  expect((await chooseDriver("kvmtool", { usualShare: "fuse" })).guestMount.type).toBe("9p");
});
