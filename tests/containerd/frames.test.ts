/** Real clients of 2016, frame by frame: what they sent is answered as it was when they sent it. */
import { expect } from "bun:test";
import { runvTest } from "../support/rig";
import { until } from "../support/until";
import { TestDaemon } from "./support/daemon";
import { Player } from "./support/frames";

const socket = "/run/runv-containerd/containerd.sock";

for (const { client, config = client, what, authorities } of [
  { client: "docker-1.11.2", what: "a walk, and each daemon killed", authorities: [socket] },
  { client: "docker-1.12.6", what: "a walk, and each daemon killed", authorities: [socket] },
  { client: "containerd-0.2.5", config: "docker-1.12.6", what: "its benchmark and ctr", authorities: [socket, "unix"] },
]) {
  runvTest(`${client}: ${what}`, async (rig) => {
    await TestDaemon.with(rig, async (daemon) => {
      const player = new Player(rig, daemon, config);
      await player.play(client).finally(() => player.close());
      expect(player.authorities).toEqual(authorities);
      await until("nothing is left", () => daemon.leftovers().length === 0, 30_000);
    });
  });
}
