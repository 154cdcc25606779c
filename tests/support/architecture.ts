/** RUNV_TEST_ARCH: of which architecture the guests are that tests start, `amd64` or `arm64`; this machine's unless it is said. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { aptFor } from "../../src/image/apt";
import { defaultCache } from "../../src/image/paths";
import { type Architecture, architecture, architectureWords, imageNameOf } from "../../src/linux/syscalls";
import { command } from "./command";

/** That of guests. @throws Error for a word that is none */
export function testArchitecture(word = process.env.RUNV_TEST_ARCH): Architecture {
  const found = word ? architectureWords[word] : architecture;
  if (found === undefined) throw new Error(`RUNV_TEST_ARCH: there is no ${word}`);
  return found;
}

/** Where `./test` has made the image for these guests. */
export function imageDirectory(): string {
  const guests = testArchitecture();
  return join(import.meta.dir, "../../dist/image", guests === architecture ? "" : imageNameOf(guests));
}

/** Copies Debian's static busybox for this architecture, which need not be installed. */
export async function copyBusybox(wanted: Architecture, to: string): Promise<void> {
  if (wanted === architecture) return await command("cp", "/bin/busybox", to);
  const apt = await aptFor(wanted, defaultCache, (line) => process.stderr.write(`${line}\n`));
  const work = mkdtempSync("/tmp/runv-busybox-");
  try {
    const script = 'cd "$1"; shift; apt-get "$@" download -qq busybox-static; dpkg-deb -x *.deb .';
    await command("bash", "-euc", script, "busybox", work, ...apt.options);
    await command("cp", join(work, "bin/busybox"), to);
  } finally {
    rmSync(work, { recursive: true });
  }
}
