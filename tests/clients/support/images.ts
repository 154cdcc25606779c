/** Images without a registry. */
import { type Architecture, architecture, imageNameOf } from "../../../src/linux/syscalls";
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
  const rootfs = await cachedRootfs(kind, architecture);
  const changes = `-c 'CMD ${JSON.stringify(command)}' -c 'ENV ${path}'`;
  const script = `tar -C ${rootfs} -c . | /usr/bin/docker import ${changes} - ${name}`;
  await world.must(script, {}, 300_000);
}

/** Gives dockerd an image, `host`, whose programs are the host's: its /usr is to be mounted there. */
export async function importHost(world: World): Promise<void> {
  await world.must(
    `cd "$(mktemp -d)" && mkdir -p dev etc/containers mnt opt proc root run sys tmp usr var/lib var/tmp && chmod 1777 tmp var/tmp
    for name in bin sbin lib lib64; do ln -s usr/$name $name; done
    for name in alternatives passwd group nsswitch.conf ld.so.conf ld.so.conf.d ld.so.cache services protocols; do cp -a /etc/$name etc; done
    cp /etc/containers/policy.json etc/containers
    tar -c . | /usr/bin/docker import -c 'CMD ["sh"]' -c 'ENV ${path}' - host; rm -r "$PWD"`,
  );
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

/** Gives dockerd an image of another architecture, which `import` takes for its own's. */
export async function importForeign(world: World, kind: RootfsKind, name: string, guests: Architecture): Promise<void> {
  await loadArchive(world, kind, name, guests, "/usr/bin/docker load");
}

/** Gives containerd an image without the help of Docker. */
export async function importToContainerd(world: World, kind: RootfsKind): Promise<void> {
  await loadArchive(world, kind, `docker.io/library/${kind}`, architecture, "ctr images import -");
}

/** Makes an archive as Docker saves them. @param load who reads it from standard input */
async function loadArchive(
  world: World,
  kind: RootfsKind,
  name: string,
  guests: Architecture,
  load: string,
): Promise<void> {
  const rootfs = await cachedRootfs(kind, guests);
  await world.must(
    `cd "$(mktemp -d)" && tar -C ${rootfs} -cf layer.tar . && sum=$(sha256sum layer.tar | cut -d' ' -f1)
    echo '{"architecture":"'"$GOARCH"'","os":"linux","config":{"Cmd":["sh"],"Env":["${path}"]},"rootfs":{"type":"layers","diff_ids":["sha256:'"$sum"'"]}}' > config.json
    echo '[{"Config":"config.json","RepoTags":["${name}:latest"],"Layers":["layer.tar"]}]' > manifest.json
    tar -c config.json layer.tar manifest.json | ${load}`,
    { GOARCH: imageNameOf(guests) },
  );
}
