/** `runv image build` */
import { basename, join, resolve } from "node:path";
import { writeAll } from "../base/output";
import { defaultCache, defaultInitrd, defaultKernel } from "../image/paths";
import { command } from "./command";
import { absolute } from "./container";
import { type FlagValues, string } from "./flags";
import { usage } from "./parse";

const flags = {
  output: string("directory to write kernel and hyper-initrd.img to (default: /var/lib/hyper)", { short: "o" }),
  kernel: string("a kernel of your own (bzImage or vmlinux) instead of Debian's"),
  modules: string("directory of that kernel's modules (/lib/modules/RELEASE), unless they are built in"),
  cache: string("directory to keep downloaded kernels in", { default: defaultCache }),
} as const;

export const image = command({
  name: "image",
  summary: "make the kernel and the initrd of the virtual machines",
  usage: `build

Takes a distribution's kernel, downloaded and unpacked without being installed, or
one of your own, and writes what runv's virtual machines start from.`,
  flags,
  args: [1, 1],
  async run({ flags, args }) {
    if (args[0] !== "build") throw usage(`No help topic for 'image ${args[0]}'`);
    const [{ buildImage }, { readInit }] = await Promise.all([
      import("../image/build"),
      import("../image/init-binary"),
    ]);
    const { output, ...source } = options(flags);
    const progress = (line: string) => writeAll(2, `${line}\n`);
    const built = await buildImage({ ...source, output, init: readInit(), progress });
    progress(`${output.kernel}: ${built.manifest.kernelRelease} from ${built.source}, ${mebibytes(built.kernelSize)}`);
    progress(`${output.initrd}: ${mebibytes(built.initrdSize)}`);
    return 0;
  },
});

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
