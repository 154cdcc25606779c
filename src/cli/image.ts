/** `runv image build`, `runv image info` */
import { resolve } from "node:path";
import { print, writeAll } from "../base/output";
import type { GlobalOptions } from "../base/settings";
import { defaultCache, imageIn, modulesDirectory, usualImage } from "../image/paths";
import { architecture, architectureWords } from "../linux/syscalls";
import { command } from "./command";
import { absolute } from "./container";
import { bool, type FlagValues, string } from "./flags";
import { refuseOthers, usage } from "./parse";

const flags = {
  output: string("directory to write kernel and hyper-initrd.img to (default: /var/lib/hyper)", { short: "o" }),
  kernel: string("a kernel of your own (bzImage or vmlinux) instead of Debian's"),
  host: bool("the kernel that this host runs, with its modules, instead of Debian's; nothing is downloaded"),
  arch: string("architecture of the machines that it is for: 'amd64' or 'arm64' (default: this machine's)"),
  modules: string("directory of that kernel's modules (/lib/modules/RELEASE), unless they are built in"),
  cache: string("directory to keep downloaded kernels in", { default: defaultCache }),
} as const;

export const image = command({
  name: "image",
  summary: "make the kernel and the initrd of the virtual machines",
  usage: `build | info

build takes Debian's kernel, downloaded and unpacked without being installed,
the one that this host runs (--host), or one of your own (--kernel), and writes what runv's virtual machines start from.
info says what lies there (--output), or where the global flags --kernel and --initrd say.`,
  words: ["build", "info"],
  flags,
  args: [1, 1],
  async run({ flags: given, args, global }) {
    if (args[0] === "build") return build(given, global);
    if (args[0] === "info") return info(given, global);
    throw usage(`No help topic for 'image ${args[0]}'`);
  },
});

async function build(given: FlagValues<typeof flags>, global: GlobalOptions): Promise<number> {
  if (given.host && (given.kernel || given.modules))
    throw usage("--host takes this host's kernel: no --kernel, no --modules");
  if (given.modules && !given.kernel) throw usage("--modules is for a --kernel of your own");
  const [{ buildImage }, { readInit }, { formatLacking, lackingIn }, { settings }] = await Promise.all([
    import("../image/build"),
    import("../image/init-binary"),
    import("../image/lacking"),
    import("../sandbox/settings"),
  ]);
  const { output, ...source } = options(given, global);
  if (given.host && source.architecture !== architecture) throw usage("--host takes this host's kernel: no --arch");
  const progress = (line: string) => writeAll(2, `${line}\n`);
  const built = await buildImage({ ...source, output, init: readInit(source.architecture), progress });
  progress(`${output.kernel}: ${built.manifest.kernelRelease} from ${built.source}, ${mebibytes(built.kernelSize)}`);
  progress(`${output.initrd}: ${mebibytes(built.initrdSize)}`);
  progress(
    `${modulesDirectory(output.initrd, built.manifest.kernelRelease)}: ${built.manifest.modules.onDemand?.length ?? 0} modules`,
  );
  const lacking = lackingIn(built.manifest);
  if (lacking.length > 0) progress(`the kernel has nothing for ${formatLacking(lacking)}`);
  const used = settings({ ...global, driverOptions: { ...global.driverOptions, arch: source.architecture } });
  if (used.initrd !== output.initrd) progress(`note: what runv starts is ${used.initrd}, ${used.imageFrom}`);
  return 0;
}

async function info(given: FlagValues<typeof flags>, global: GlobalOptions): Promise<number> {
  const [{ imageInfo }, { formatLacking, lackingIn }, { readInit }, { settings }] = await Promise.all([
    import("../image/info"),
    import("../image/lacking"),
    import("../image/init-binary"),
    import("../sandbox/settings"),
  ]);
  refuseOthers(flags, given, ["output", "arch"]);
  const { output, architecture } = options(given, global);
  const used = { ...global, driverOptions: { ...global.driverOptions, arch: architecture } };
  const { kernel, initrd } = given.output === undefined ? settings(used) : output;
  const { manifest, kernelSize, initrdSize, kernelFits, initIsOurs } = imageInfo(
    { kernel, initrd },
    readInit(architecture),
  );
  const { boot, extra, builtin, onDemand = [] } = manifest.modules;
  const fits = kernelFits ? "" : ", NOT the one that the initrd was made for";
  const lines = [
    ["kernel", `${kernel}, ${mebibytes(kernelSize)}${fits}`],
    ["release", `${manifest.kernelRelease}, ${manifest.arch}`],
    ["source", manifest.source ?? "unknown"],
    ["initrd", `${initrd}, ${mebibytes(initrdSize)}`],
    ["init", initIsOurs ? "this runv's" : "another runv's, of the same protocol"],
    ["protocol", `${manifest.protocol}`],
    [
      "modules",
      `${boot.length + Object.keys(extra).length} in the initrd, ${onDemand.length} on demand, ${builtin.length} built in`,
    ],
    ["lacking", formatLacking(lackingIn(manifest)) || "nothing"],
  ];
  print(lines.map(([name, text]) => `${name!.padEnd(10)}${text}\n`).join(""));
  return kernelFits ? 0 : 1;
}

function options({ output, kernel, host, arch, modules, cache }: FlagValues<typeof flags>, global: GlobalOptions) {
  const word = arch ?? global.driverOptions.arch;
  const guests = word === undefined ? architecture : architectureWords[word];
  if (guests === undefined)
    throw usage(`--arch cannot be ${JSON.stringify(word)}: one of ${Object.keys(architectureWords).join(", ")}`);
  return {
    architecture: guests,
    kernel: absolute(kernel),
    host,
    modules: absolute(modules),
    cache: resolve(cache),
    output: output === undefined ? usualImage(guests) : imageIn(resolve(output)),
  };
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1048576).toFixed(1)} MiB`;
}
