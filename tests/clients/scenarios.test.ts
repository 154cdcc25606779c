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
  await world.ended("all processes of the containers end", idle);
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

/** With the one setting that whoever serves files sets; its log is written for each request. */
const nginx = `user www-data;
events {}
http {
  open_file_cache max=10;
  server { listen 80; root /var/www/html; index index.nginx-debian.html; }
}
`;

test("nginx serves 10,000 requests through -p, 50 at a time", async () => {
  await daemons.write("/run/nginx.conf", nginx);
  const mount = "-v /run/nginx.conf:/etc/nginx/nginx.conf:ro";
  await docker(`run -d --runtime runv --name web -m 256m -p 8080:80 ${mount} server nginx -g 'daemon off;'`);
  const ab = (flags: string) => world.run(`ab -q ${flags} http://172.17.0.1:8080/`, {}, 400_000);
  await until("nginx answers", async () => (await ab("-n 1")).code === 0, 60_000);
  const { output } = await ab("-n 10000 -c 50");
  expect(output).toMatch(/Complete requests: +10000\nFailed requests: +0\n/);
  expect(output).not.toContain("Non-2xx");
}, 480_000);

/** Debian's database, open to its network. */
const database = "/usr/lib/postgresql/*/bin/postgres -c config_file=$(ls /etc/postgresql/*/main/postgresql.conf)";
const settings = "-c listen_addresses=* -c ssl=off -c hba_file=/run/pg_hba.conf";

test("PostgreSQL keeps its data on a volume through kill -9 of QEMU, and is found by name", async () => {
  await docker("network create shop");
  await daemons.write("/run/pg_hba.conf", "host all all all trust\n");
  const mounts = "-v pgdata:/var/lib/postgresql -v /run/pg_hba.conf:/run/pg_hba.conf";
  const run = "run -d --runtime runv --network shop";
  await docker(`${run} --name db -m 512m -u postgres ${mounts} server sh -c 'exec ${database} ${settings}'`);
  await docker(`${run} --name client -m 256m server sleep 1000`);
  const sql = async (text: string) =>
    (await world.run(`/usr/bin/docker exec client psql -h db -U postgres -tAc "${text}" postgres`)).output.trim();
  await until("the database answers", async () => (await sql("select 1")) === "1", 120_000);
  expect(await sql("create table t as select generate_series(1, 1000) as n")).toBe("SELECT 1000");
  process.kill(await processOf("db", "machine"), "SIGKILL");
  expect((await docker("wait db")).trim()).toBe("137");
  await docker("start db");
  await until("the database answers again", async () => (await sql("select count(*) from t")) === "1000", 120_000);
}, 360_000);

test("thirty containers at once", async () => {
  // So that there is a template: thirty cold boots at once are not what this is about. Nor is the first start, of which one was lost now and then.
  await until("there is a template", async () => {
    const { code, output } = await world.run("/usr/bin/docker run --rm --runtime runv busybox true", {}, 120_000);
    if (code !== 0) process.stderr.write(`the first start failed: ${output}\n`);
    return code === 0;
  });
  const names = Array.from({ length: 30 }, (_, index) => `many${index}`);
  await Promise.all(names.map((name) => docker(`run -d --runtime runv --name ${name} busybox sleep 1000`, 600_000)));
  expect((await docker("ps --filter name=many --format {{.Names}}")).split("\n").filter(Boolean)).toHaveLength(30);
  const said = await Promise.all(names.map((name) => docker(`exec ${name} echo ${name}`, 120_000)));
  expect(said).toEqual(names.map((name) => `${name}\n`));
  // Docker gives each 12 s to end, on however busy a machine; what it has given up it takes the next time.
  const removeAll = () => world.run("/usr/bin/docker ps -aq | xargs /usr/bin/docker rm -f", {}, 300_000);
  await until("all are removed", async () => (await removeAll()).code === 0, 300_000);
  expect(await docker("ps -aq")).toBe("");
}, 900_000);

for (const part of ["shim", "monitor", "machine"] as const) {
  test(`kill -9 of the ${part}: Docker sees its end, and rm -f works`, async () => {
    await docker("run -d --runtime runv --name killed busybox sleep 1000");
    process.kill(await processOf("killed", part), "SIGKILL");
    expect((await docker("wait killed", 30_000)).trim()).toBe("137");
    await docker("rm -f killed");
  }, 90_000);
}

test("kill -9 of containerd's shim: Docker sees its end, and rm -f works", async () => {
  await docker("run -d --runtime runv --name killed busybox sleep 1000");
  const status = readFileSync(`/proc/${await processOf("killed", "shim")}/status`, "utf8");
  process.kill(Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]), "SIGKILL");
  const runs = async () => (await docker("inspect -f {{.State.Running}} killed")).trim();
  await until("Docker sees it", async () => (await runs()) === "false", 30_000);
  await docker("rm -f killed");
}, 90_000);

test("kill -9 of containerd: its containers go on", async () => {
  await docker("run -d --runtime runv --name kept busybox sleep 1000");
  daemons.containerd.kill("SIGKILL");
  await daemons.containerd.exited;
  await daemons.startContainerd();
  const lives = async () => (await world.run("/usr/bin/docker exec kept echo lives")).output === "lives\n";
  await until("the container is in reach again", lives, 30_000);
  await docker("rm -f kept");
}, 90_000);

test("kill -9 of dockerd: it ends its containers when it is back, as with runc", async () => {
  await docker("run -d --runtime runv --name killed busybox sleep 1000");
  await killDockerd();
  expect((await docker("inspect -f {{.State.Running}} killed")).trim()).toBe("false");
  await docker("start killed");
  expect(await docker("exec killed echo lives")).toBe("lives\n");
  await docker("rm -f killed");
}, 120_000);

test("kill -9 of dockerd: with live-restore its containers go on", async () => {
  await world.must(`sed -i 's/^{/{"live-restore":true,/' /etc/docker/daemon.json; kill -HUP $(cat /run/docker.pid)`);
  await until("live-restore is on", async () => (await docker("info -f {{.LiveRestoreEnabled}}")).trim() === "true");
  await docker("run -d --runtime runv --name kept busybox sleep 1000");
  const before = await docker("inspect -f {{.State.Pid}} kept");
  await killDockerd();
  expect(await docker("inspect -f {{.State.Pid}} kept")).toBe(before);
  expect(await docker("exec kept echo lives")).toBe("lives\n");
}, 90_000);

async function killDockerd(): Promise<void> {
  daemons.dockerd.kill("SIGKILL");
  await daemons.dockerd.exited;
  await daemons.startDockerd();
}
