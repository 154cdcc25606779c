/** docker, podman, ctr, CRI and Swarm with runc and with runv: the same commands, the same outcomes. See docs/clients.md. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Compared, compare, problem } from "./support/compare";
import { Daemons } from "./support/daemons";
import { foreign, foreignImage, hasForeign } from "./support/foreign";
import { importForeign, importHost, importImage, passOn, passOnToCri } from "./support/images";
import { formatMatrix } from "./support/matrix";
import { tables } from "./support/tables";
import { World } from "./support/world";

const world = new World();
const daemons = new Daemons(world);
const results: Compared[] = [];

beforeAll(async () => {
  await world.open();
  await daemons.start();
  await importImage(world, "busybox");
  if (foreign !== undefined) await importForeign(world, "busybox", foreignImage, foreign);
  await passOn(world, "busybox");
  await importHost(world);
  await passOn(world, "host");
  await passOnToCri(world, "busybox");
  // The first pod has podman build an image for all.
  await world.must("podman pod create --name first && podman pod rm first");
  await world.must("/usr/bin/docker swarm init --advertise-addr 127.0.0.1");
}, 120_000);

afterAll(async () => {
  const page = process.env.RUNV_MATRIX;
  if (page !== undefined) await Bun.write(page, formatMatrix(results));
  await daemons.stop();
  try {
    // All but the one that holds the namespaces. Podman cleans up after its containers by itself.
    await world.ended("the clients' processes end", 1);
  } finally {
    await world.close();
  }
}, 120_000);

for (const { client, title, rows, alone } of foreign === undefined ? tables : tables.filter(hasForeign)) {
  describe(`${client}: ${title}`, () => {
    for (const row of rows) {
      const compared = async () => {
        const result = await compare(world, row, alone || row.alone ? "alone" : "parallel");
        results.push(result);
        expect(problem(result)).toBeUndefined();
      };
      if (row.slow) test(row.name, compared, 900_000);
      else test(row.name, compared);
    }
  });
}
