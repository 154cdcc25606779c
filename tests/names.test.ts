/** Names that are resolved in a container's namespace, as Docker's are. */
import { expect } from "bun:test";
import { inNamespace, makeLab } from "./support/lab";
import { startResolver } from "./support/resolver";
import { runvTest } from "./support/rig";

runvTest("a resolver at 127.0.0.11 in the namespace answers the guest, also what it must ask others", async (rig) => {
  const lab = await makeLab(rig.name);
  const children: Bun.Subprocess[] = [];
  try {
    const station = await lab.station();
    await lab.plug(station, "eth0", 11);
    children.push(await startResolver(lab.hub.path, "10.9.0.1", "192.0.2.2"));
    children.push(await startResolver(station.path, "127.0.0.11", "192.0.2.1", "10.9.0.1"));
    const script = [
      "nslookup near.test 127.0.0.11",
      "nslookup far.test 127.0.0.11",
      "nslookup far.test 10.9.0.1",
      "for i in 1 2 3 4 5 6 7 8; do nslookup n$i.test 127.0.0.11 | grep -c 192.0.2.1 & done; wait",
      "head -c 5000 /dev/zero | tr '\\0' x | nc 127.0.0.11 53 | head -c 5000 | md5sum",
      "ping -c 1 -W 5 10.9.0.1",
    ].join("\n");
    const bundle = await rig.bundle({
      args: ["sh", "-c", script],
      change: (config) => inNamespace(config, station.path),
    });
    const { stdout, stderr } = await rig.runv(["run", "-b", bundle, rig.id("names")]);
    expect(stderr).toBe("");
    const found = [...stdout.matchAll(/Name:\s+(\S+)\nAddress:\s+(\S+)/g)].map(([, name, ip]) => `${name} ${ip}`);
    expect(found).toEqual(["near.test 192.0.2.1", "far.test 192.0.2.2", "far.test 192.0.2.2"]);
    expect(stdout.match(/^1$/gm)).toHaveLength(8);
    const sum = new Bun.CryptoHasher("md5").update("x".repeat(5000)).digest("hex");
    expect(stdout).toContain(sum);
    expect(stdout).toContain(" 0% packet loss");
  } finally {
    for (const child of children) child.kill();
    await Promise.all(children.map((child) => child.exited));
    await lab.remove();
  }
});
