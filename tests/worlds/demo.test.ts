/** A new user's first step, in a minimal Debian 13 that has nothing of runv's. All of the way, and other Debians, are for tests/worlds/run. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { patience } from "../support/patience";
import { inside, layers } from "./inside";

const suite = "trixie";
const name = "./demo, from a clean clone to a container, in a minimal Debian 13";

/** What keeps this machine from having such a world; undefined if nothing does. */
function problem(): string | undefined {
  if (process.getuid?.() !== 0) return "it takes root";
  if (!existsSync("/usr/sbin/debootstrap")) return "there is no debootstrap";
  const tree = join(import.meta.dir, "../../lab/debian-tree");
  const { success, stdout } = Bun.spawnSync([tree, "--reachable", suite]);
  return success ? undefined : stdout.toString().trim();
}

const missing = problem();
if (missing !== undefined) process.stderr.write(`${name}: skipped: ${missing}\n`);

test.skipIf(missing !== undefined)(
  name,
  async () => {
    const { code, said } = await inside(await layers(suite), ["/root/runv/tests/worlds/door", "demo"]);
    expect({ code, said }).toEqual({ code: 0, said: expect.stringMatching(/^door: \.\/demo: \d+ s$/m) });
  },
  1_200_000 * patience,
);
