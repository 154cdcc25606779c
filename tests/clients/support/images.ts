/** Images without a registry. */
import { cachedRootfs, type RootfsKind } from "../../support/rootfs";
import type { World } from "./world";

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Gives dockerd an image of that name. */
export async function importImage(world: World, kind: RootfsKind): Promise<void> {
  const rootfs = await cachedRootfs(kind);
  const script = `tar -C ${rootfs} -c . | /usr/bin/docker import -c 'CMD ["sh"]' -c 'ENV ${path}' - ${kind}`;
  await world.must(script, {}, 300_000);
}

/** Gives the other clients what dockerd has. */
export async function passOn(world: World, image: string): Promise<void> {
  await world.must(`/usr/bin/docker save ${image} > /run/image.tar`);
  for (const load of ["ctr images import /run/image.tar", "podman load -i /run/image.tar", "rm /run/image.tar"]) {
    await world.must(load);
  }
}
