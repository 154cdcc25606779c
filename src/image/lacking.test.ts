import { expect, test } from "bun:test";
import { formatLacking, lackingIn } from "./lacking";
import { bootModules, extraModules } from "./module-names";
import { onDemandGroups } from "./on-demand-modules";

const all = [...bootModules, ...extraModules, ...onDemandGroups.flatMap(({ names }) => names)];
const [path, extra] = ["/lib/modules/x/virtio_pci.ko", { path: "", depends: [] }];

test("nothing is lacking where all is loaded, loadable or built in", () => {
  const builtin = all.filter((name) => !["virtio_pci", "virtiofs", "overlay"].includes(name));
  expect(lackingIn({ modules: { boot: [path], extra: { virtiofs: extra }, onDemand: ["overlay"], builtin } })).toEqual(
    [],
  );
});

test("what is lacking is said with what it is for", () => {
  const builtin = all.filter((name) => !["virtiofs", "wireguard", "loop"].includes(name));
  const lacking = lackingIn({ modules: { boot: [], extra: {}, builtin }, optionsLacking: ["SECCOMP_FILTER"] });
  expect(formatLacking(lacking)).toBe(
    "seccomp (CONFIG_SECCOMP_FILTER), files over virtiofs (virtiofs), file systems on disks (loop), tunnels (wireguard)",
  );
});
