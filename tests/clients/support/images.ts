/** Images without a registry. */
import { cachedRootfs, type RootfsKind } from "../../support/rootfs";
import { pauseImage } from "./configuration";
import type { World } from "./world";

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Gives dockerd an image of that name, or of another. */
export async function importImage(
  world: World,
  kind: RootfsKind,
  name: string = kind,
  command: readonly string[] = ["sh"],
): Promise<void> {
  const rootfs = await cachedRootfs(kind);
  const changes = `-c 'CMD ${JSON.stringify(command)}' -c 'ENV ${path}'`;
  const script = `tar -C ${rootfs} -c . | /usr/bin/docker import ${changes} - ${name}`;
  await world.must(script, {}, 300_000);
}

/** Gives the other clients what dockerd has. */
export async function passOn(world: World, image: string): Promise<void> {
  await world.must(`/usr/bin/docker save ${image} > /run/image.tar`);
  for (const load of ["ctr images import /run/image.tar", "podman load -i /run/image.tar", "rm /run/image.tar"]) {
    await world.must(load);
  }
}

/** Gives CRI, whose images are its own, that image, and one for its pods. */
export async function passOnToCri(world: World, image: string): Promise<void> {
  await importImage(world, "busybox", pauseImage, ["sleep", "1000000"]);
  await world.must(`/usr/bin/docker save ${image} ${pauseImage} | ctr -n k8s.io images import -`);
}
