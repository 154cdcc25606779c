import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { optionsFor, parseLayers } from "./layers";

const directory = mkdtempSync(join(tmpdir(), "runv-layers-"));
const [one, two, up] = ["one", "two", "up"].map((name) => {
  const path = join(directory, name);
  mkdirSync(path);
  return path;
}) as [string, string, string];
process.on("exit", () => rmSync(directory, { recursive: true }));

const parse = (...data: string[]) => parseLayers({ data });

test("the layers of Docker's, podman's and containerd's overlays, with what says how they are to be read", () => {
  const rest = [`upperdir=${up}`, "workdir=/somewhere"];
  const docker = parse("rw", `lowerdir=${one}:${two}`, ...rest, "index=off", "xino=off");
  expect(docker).toEqual({ lower: [one, two], upper: up, options: ["xino=off"] });
  const podman = parse("rw", `lowerdir=${one}`, ...rest, "metacopy=on", "userxattr", "volatile", "uuid=on");
  expect(podman).toEqual({ lower: [one], upper: up, options: ["metacopy=on", "userxattr"] });
  expect(parse("ro", `lowerdir+=${one}`, `lowerdir+=${two}`)).toEqual({
    ...{ lower: [one, two], upper: undefined, options: [] },
  });
});

test("layers that are not known, or cannot be those of another overlay", () => {
  const usual = [`lowerdir=${one}`, `upperdir=${up}`, "workdir=/somewhere"];
  for (const more of ["index=on", "nfs_export=on", "datadir+=/data", "verity=on", "context=some", "made-up"]) {
    expect([more, parse(...usual, more)]).toEqual([more, undefined]);
  }
  expect(parse("lowerdir=l/ONE:l/TWO", ...usual.slice(1))).toBeUndefined();
  expect(parse(`lowerdir=${one}\\:x`, ...usual.slice(1))).toBeUndefined();
  expect(parse(`lowerdir=${one}`, `upperdir=${up}/gone`)).toBeUndefined();
  expect(parse("rw")).toBeUndefined();
});

test("what mount(2) is told, if it can be", () => {
  const layers = { lower: ["/one", "/two"], upper: "/up", options: ["metacopy=on"] };
  expect(optionsFor(layers, "/work")).toBe("lowerdir=/one:/two,upperdir=/up,workdir=/work,metacopy=on");
  expect(optionsFor({ ...layers, lower: ["/one,two"] }, "/work")).toBeUndefined();
  expect(
    optionsFor({ ...layers, lower: Array.from({ length: 300 }, () => "/a-longer-path") }, "/work"),
  ).toBeUndefined();
});
