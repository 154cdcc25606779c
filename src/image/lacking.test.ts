import { expect, test } from "bun:test";
import { formatLacking, lackingIn } from "./lacking";
import { bootModules, extraModules } from "./module-names";

const [path, extra] = ["/lib/modules/x/virtio_pci.ko", { path: "", depends: [] }];

test("nothing is lacking where all is loaded, loadable or built in", () => {
  const builtin = [...bootModules, ...extraModules].filter((name) => !["virtio_pci", "overlay"].includes(name));
  expect(lackingIn({ boot: [path], extra: { overlay: extra }, builtin })).toEqual([]);
});

test("what is lacking is said with what it is for", () => {
  const builtin = [...bootModules, ...extraModules].filter((name) => !["fuse", "virtiofs", "loop"].includes(name));
  const lacking = lackingIn({ boot: [], extra: {}, builtin });
  expect(formatLacking(lacking)).toBe("files over virtiofs (virtiofs, fuse), disks (loop)");
});
