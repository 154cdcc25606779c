import { expect, test } from "bun:test";
import { dependencyIn, fieldOf, findKernelPackages, partsIn } from "./debian-packages";

const control = "Package: linux-image-amd64\nVersion: 6.1.192-2\nDepends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)\n";

test("the real package is what the meta package depends on", () => {
  expect(dependencyIn(fieldOf(control, "Depends")!)).toBe("linux-image-6.1.0-56-amd64");
  expect(dependencyIn("linux-base, linux-image-6.12.9+deb13-amd64 (= 1) | x")).toBe("linux-image-6.12.9+deb13-amd64");
  expect(dependencyIn("linux-base")).toBeUndefined();
});

test("fields are found by their whole name", () => {
  expect(fieldOf(control, "Version")).toBe("6.1.192-2");
  expect(fieldOf(control, "ersion")).toBeUndefined();
  expect(fieldOf("", "Version")).toBeUndefined();
});

test("parts of a kernel are those that are named by its release", () => {
  const depends = "kmod, linux-base (>= 4.3~), linux-base-7.2+x-amd64:amd64 (= 1), linux-binary-7.2+x-amd64 | a";
  expect(partsIn(depends, "7.2+x-amd64")).toEqual(["linux-base-7.2+x-amd64", "linux-binary-7.2+x-amd64"]);
});

/** apt's lists, with a version and what is depended on for each name. */
const lists = (depends: Record<string, string>) => async (name: string) =>
  name in depends ? `Package: ${name}\nVersion: 1-${name.length}\nDepends: ${depends[name]}\n` : "";
const meta = process.arch === "arm64" ? "linux-image-arm64" : "linux-image-amd64";
const nameOf = ({ name }: { name: string }) => name;

test("to Debian 13 a kernel is one package", async () => {
  const show = lists({ [meta]: "linux-image-6.12-x (= 1)", "linux-image-6.12-x": "kmod, linux-base (>= 4.3~)" });
  const { release, packages } = await findKernelPackages(show);
  expect([release, packages]).toEqual(["6.12-x", [{ name: "linux-image-6.12-x", version: "1-18" }]]);
});

test("later it is several, each once, that which names it first", async () => {
  const show = lists({
    [meta]: `linux-base-x (= 1), linux-image-7.2-x (= 1)`,
    "linux-image-7.2-x": "dracut | initramfs-tools, linux-base-7.2-x (= 1), linux-binary-7.2-x, linux-modules-7.2-x",
    "linux-binary-7.2-x": "linux-base-7.2-x (= 1)",
    "linux-modules-7.2-x": "kmod, linux-base-7.2-x (= 1)",
    "linux-base-7.2-x": "",
  });
  const parts = ["image", "base", "binary", "modules"].map((part) => `linux-${part}-7.2-x`);
  expect((await findKernelPackages(show)).packages.map(nameOf)).toEqual(parts);
});

test("a package that apt does not know is named", async () => {
  const failure = (show: ReturnType<typeof lists>) => findKernelPackages(show).catch((thrown) => thrown);
  expect(await failure(lists({}))).toMatchObject({ code: "IMAGE_DOWNLOAD", message: `apt knows no package ${meta}` });
  const partial = lists({ [meta]: "linux-image-7-x", "linux-image-7-x": "linux-modules-7-x" });
  expect((await failure(partial)).message).toBe("apt knows no package linux-modules-7-x");
});
