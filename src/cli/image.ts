/** `runv image build`, `runv image info` */
import { basename, join, resolve } from "node:path";
import { print, writeAll } from "../base/output";
import type { GlobalOptions } from "../base/settings";
import { defaultCache, defaultInitrd, defaultKernel } from "../image/paths";
import { command } from "./command";
import { absolute } from "./container";
import { type FlagValues, string } from "./flags";
import { refuseOthers, usage } from "./parse";

const flags = {
  output: string("directory to write kernel and hyper-initrd.img to (default: /var/lib/hyper)", { short: "o" }),
  kernel: string("a kernel of your own (bzImage or vmlinux) instead of Debian's"),
  modules: string("directory of that kernel's modules (/lib/modules/RELEASE), unless they are built in"),
  cache: string("directory to keep downloaded kernels in", { default: defaultCache }),
} as const;

export const image = command({
  name: "image",
  summary: "make the kernel and the initrd of the virtual machines",
  usage: `build | info

build takes a distribution's kernel, downloaded and unpacked without being
installed, or one of your own, and writes what runv's virtual machines start from.
info says what lies there (--output), or where the global flags --kernel and --initrd say.`,
  flags,
  args: [1, 1],
  async run({ flags: given, args, global }) {
    if (args[0] === "build") return build(given);
    if (args[0] === "info") return info(given, global);
    throw usage(`No help topic for 'image ${args[0]}'`);
  },
});

async function build(given: FlagValues<typeof flags>): Promise<number> {
  const [{ buildImage }, { readInit }] = await Promise.all([import("../image/build"), import("../image/init-binary")]);
  const { output, ...source } = options(given);
  const progress = (line: string) => writeAll(2, `${line}\n`);
  const built = await buildImage({ ...source, output, init: readInit(), progress });
  progress(`${output.kernel}: ${built.manifest.kernelRelease} from ${built.source}, ${mebibytes(built.kernelSize)}`);
  progress(`${output.initrd}: ${mebibytes(built.initrdSize)}`);
  return 0;
}

async function info(given: FlagValues<typeof flags>, global: GlobalOptions): Promise<number> {
  const [{ imageInfo }, { readInit }, { settings }] = await Promise.all([
    import("../image/info"),
    import("../image/init-binary"),
    import("../sandbox/settings"),
  ]);
  refuseOthers(flags, given, ["output"]);
  const { kernel, initrd } = given.output === undefined ? settings(global) : options(given).output;
  const { manifest, kernelSize, initrdSize, kernelFits, initIsOurs } = imageInfo({ kernel, initrd }, readInit());
  const { boot, extra, builtin } = manifest.modules;
  const fits = kernelFits ? "" : ", NOT the one that the initrd was made for";
  const lines = [
    ["kernel", `${kernel}, ${mebibytes(kernelSize)}${fits}`],
    ["release", `${manifest.kernelRelease}, ${manifest.arch}`],
    ["initrd", `${initrd}, ${mebibytes(initrdSize)}`],
    ["init", initIsOurs ? "this runv's" : "another runv's, of the same protocol"],
    ["protocol", `${manifest.protocol}`],
    ["modules", `${boot.length} at boot, ${Object.keys(extra).length} on demand, ${builtin.length} built in`],
  ];
  print(lines.map(([name, text]) => `${name!.padEnd(10)}${text}\n`).join(""));
  return kernelFits ? 0 : 1;
}

function options({ output, kernel, modules, cache }: FlagValues<typeof flags>) {
  const into = (file: string) => (output === undefined ? file : join(resolve(output), basename(file)));
  return {
    kernel: absolute(kernel),
    modules: absolute(modules),
    cache: resolve(cache),
    output: { kernel: into(defaultKernel), initrd: into(defaultInitrd) },
  };
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1048576).toFixed(1)} MiB`;
}
