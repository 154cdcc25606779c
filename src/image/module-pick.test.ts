import { expect, test } from "bun:test";
import { type ModuleSource, pickModules, pickOnDemand } from "./module-pick";

/** `name: "depends | softdeps"` */
function source(modules: Record<string, string>, builtin: string[] = []): ModuleSource {
  const words = (text: string | undefined) => (text ?? "").split(" ").filter(Boolean);
  return {
    has: (name) => Object.hasOwn(modules, name),
    isBuiltin: (name) => builtin.includes(name),
    info: async (name) => {
      const [depends, softBefore] = modules[name]!.split("|");
      return { depends: words(depends), softBefore: words(softBefore), aliases: [] };
    },
  };
}

const virtio = { virtio: "", virtio_ring: "virtio", virtio_pci: "virtio_ring virtio", console: "virtio" };

test("boot modules come after what they depend on, each once", async () => {
  const { boot } = await pickModules(source(virtio), { boot: ["virtio_pci", "console"], extra: [], required: [] });
  expect(boot).toEqual(["virtio", "virtio_ring", "virtio_pci", "console"]);
});

test("an extra module brings all that it depends on but what boot has loaded", async () => {
  const modules = { ...virtio, "9p": "9pnet netfs", netfs: "fscache", fscache: "", "9pnet": "", "9pv": "9pnet virtio" };
  const wanted = { boot: ["virtio_pci"], extra: ["9pv", "9p"], required: [] };
  const { extra } = await pickModules(source(modules), wanted);
  expect([...extra]).toEqual([
    ["9p", ["9pnet", "fscache", "netfs"]],
    ["9pnet", []],
    ["9pv", ["9pnet"]],
    ["fscache", []],
    ["netfs", ["fscache"]],
  ]);
});

test("what is built in is not loaded, wished for or depended on", async () => {
  const modules = source({ virtio_pci: "virtio", tun: "" }, ["virtio", "console"]);
  const picked = await pickModules(modules, { boot: ["virtio_pci", "console"], extra: ["tun"], required: ["console"] });
  expect(picked).toEqual({ boot: ["virtio_pci"], extra: new Map([["tun", []]]) });
});

test("a softdep counts where it exists, under the name of what provides it", async () => {
  const modules = { ext4: "jbd2 | crypto_crc32c nowhere", jbd2: "", crc32c_generic: "" };
  const { extra } = await pickModules(source(modules), { boot: [], extra: ["ext4"], required: [] });
  expect(extra.get("ext4")).toEqual(["crc32c_generic", "jbd2"]);
});

test("what is wished for and not there is passed over; what is required is not", async () => {
  const none = { boot: ["a"], extra: ["b"], required: [] };
  expect(await pickModules(source({}), none)).toEqual({ boot: [], extra: new Map() });
  const error = await pickModules(source({ a: "" }), { ...none, required: ["a", "9p"] }).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: "IMAGE_MODULES_MISSING", message: expect.stringMatching(/needs: 9p$/) });
});

test("a dependency that is not there names who needs it", async () => {
  const picked = pickModules(source({ a: "b" }), { boot: ["a"], extra: [], required: [] });
  await expect(picked).rejects.toThrow("module a depends on b");
});

test("modules that depend on each other do not hang it", async () => {
  const { boot } = await pickModules(source({ a: "b", b: "a" }), { boot: ["a"], extra: [], required: [] });
  expect(boot).toEqual(["b", "a"]);
});

test("what the kernel asks for comes with all that it needs, and without what cannot be had", async () => {
  const modules = source({ ...virtio, overlay: "", smc: "ib_core", tun: "virtio" }, ["virtio"]);
  expect([...(await pickOnDemand(modules, ["tun", "smc", "overlay", "virtio"]))]).toEqual([
    ["overlay", ["overlay"]],
    ["tun", ["tun"]],
  ]);
});

test("the kernel may ask for what others need, too", async () => {
  const modules = source({ nf_tables: "nfnetlink", nfnetlink: "netlink", netlink: "" });
  expect([...(await pickOnDemand(modules, ["nf_tables"]))]).toEqual([
    ["netlink", ["netlink"]],
    ["nf_tables", ["netlink", "nfnetlink", "nf_tables"]],
    ["nfnetlink", ["netlink", "nfnetlink"]],
  ]);
});
