/** What people do with containers, with runv under a real dockerd: services, volumes, many at once, and parts that are killed. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { until } from "../support/until";
import { Daemons } from "./support/daemons";
import { importImage } from "./support/images";
import { World } from "./support/world";

const world = new World();
const daemons = new Daemons(world);
const docker = (line: string, timeout?: number) => world.must(`/usr/bin/docker ${line}`, {}, timeout);
/** Docker 20.10 calls it so whatever the runtime. */
const states = "/run/docker/runtime-runc/moby";
/** The processes of the rig when no container runs. */
let idle = 0;

beforeAll(async () => {
  await world.open();
  await daemons.start();
  for (const kind of ["busybox", "server"] as const) await importImage(world, kind);
  idle = world.processes().length;
}, 600_000);

afterEach(async () => {
  await world.run(
    "/usr/bin/docker ps -aq | xargs -r /usr/bin/docker rm -f; /usr/bin/docker network prune -f; /usr/bin/docker volume prune -f",
  );
  await until("all processes of the containers end", () => world.processes().length <= idle, 20_000);
  const left = await world.must(`ls -A ${states} ${states}/.sandboxes; ip -o link | grep -cE 'veth|runv[0-9]' || true`);
  expect(left).toBe(`${states}:\n.sandboxes\n\n${states}/.sandboxes:\n0\n`);
}, 120_000);

afterAll(async () => {
  await daemons.stop();
  await world.close();
}, 60_000);

/** A process that stands in a container's record. */
async function processOf(name: string, part: "shim" | "monitor" | "machine"): Promise<number> {
  const id = (await docker(`inspect -f {{.Id}} ${name}`)).trim();
  return JSON.parse(await world.must(`cat ${states}/${id}/state.json`))[part].pid;
}

test("nginx serves 10,000 requests through -p, 50 at a time", async () => {
  await docker("run -d --runtime runv --name web -m 256m -p 127.0.0.1:8080:80 server nginx -g 'daemon off;'");
  await until("nginx answers", async () => (await world.run("ab -q -n 1 http://127.0.0.1:8080/")).code === 0, 60_000);
  const report = await world.must("ab -q -n 10000 -c 50 http://127.0.0.1:8080/", {}, 240_000);
  expect(report).toMatch(/Complete requests: +10000\nFailed requests: +0\n/);
  expect(report).not.toContain("Non-2xx");
}, 300_000);

/** Makes a database where there is none, and serves it. */
const database = `
if [ "$(id -u)" = 0 ]; then
  chown postgres /data
  exec su postgres -c 'sh /database'
fi
bin=$(ls -d /usr/lib/postgresql/*/bin)
if [ ! -e /data/PG_VERSION ]; then
  $bin/initdb -A trust /data
  echo host all all all trust >> /data/pg_hba.conf
fi
rm -f /data/postmaster.pid
exec $bin/postgres -D /data -k /tmp -h '*'
`;

test("PostgreSQL keeps its data on a volume through kill -9 of QEMU, and is found by name", async () => {
  await docker("network create shop");
  await daemons.write("/run/database", database);
  const mounts = "-v pgdata:/data -v /run/database:/database";
  await docker(`run -d --runtime runv --name db --network shop -m 512m ${mounts} server sh /database`);
  const sql = async (text: string) =>
    (await world.run(`/usr/bin/docker exec client psql -h db -U postgres -tAc "${text}" postgres`)).output.trim();
  await docker("run -d --runtime runv --name client --network shop -m 256m server sleep 1000");
  await until("the database answers", async () => (await sql("select 1")) === "1", 150_000).catch(async (error) => {
    throw new Error(`${await docker("logs db")}\n${await sql("select 1")}`, { cause: error });
  });
  expect(await sql("create table t as select generate_series(1, 1000) as n")).toBe("SELECT 1000");
  process.kill(await processOf("db", "machine"), "SIGKILL");
  expect((await docker("wait db")).trim()).toBe("137");
  await docker("start db");
  await until("the database answers again", async () => (await sql("select count(*) from t")) === "1000", 150_000);
}, 400_000);

test("ten containers at once", async () => {
  const names = Array.from({ length: 10 }, (_, index) => `many${index}`);
  await Promise.all(names.map((name) => docker(`run -d --runtime runv --name ${name} busybox sleep 1000`, 120_000)));
  const said = await Promise.all(names.map((name) => docker(`exec ${name} echo ${name}`)));
  expect(said).toEqual(names.map((name) => `${name}\n`));
  await docker(`rm -f ${names.join(" ")}`, 120_000);
}, 300_000);

for (const part of ["shim", "monitor", "machine"] as const) {
  test(`kill -9 of the ${part}: Docker sees its end, and rm -f works`, async () => {
    await docker("run -d --runtime runv --name killed busybox sleep 1000");
    process.kill(await processOf("killed", part), "SIGKILL");
    expect((await docker("wait killed", 20_000)).trim()).toBe("137");
    await docker("rm -f killed");
  }, 60_000);
}

test("kill -9 of containerd's shim: rm -f works", async () => {
  await docker("run -d --runtime runv --name killed busybox sleep 1000");
  const shim = Number(
    /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${await processOf("killed", "shim")}/status`, "utf8"))?.[1],
  );
  process.kill(shim, "SIGKILL");
  await until(
    "Docker sees it",
    async () => (await docker("inspect -f {{.State.Running}} killed")).trim() === "false",
    30_000,
  );
  await docker("rm -f killed");
}, 90_000);

test("kill -9 of dockerd: with live-restore its containers go on", async () => {
  await world.must(`sed -i 's/^{/{"live-restore":true,/' /etc/docker/daemon.json; kill -HUP $(cat /run/docker.pid)`);
  await until("live-restore is on", async () => (await docker("info -f {{.LiveRestoreEnabled}}")).trim() === "true");
  await docker("run -d --runtime runv --name kept busybox sleep 1000");
  const before = await docker("inspect -f {{.State.Pid}} kept");
  daemons.dockerd.kill("SIGKILL");
  await daemons.dockerd.exited;
  await daemons.startDockerd();
  expect(await docker("inspect -f {{.State.Pid}} kept")).toBe(before);
  expect(await docker("exec kept echo lives")).toBe("lives\n");
}, 90_000);
