import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { identityOf } from "../../linux/identity";
import {
  listPools,
  type PooledMachine,
  poolKey,
  readyMark,
  shapeDirectory,
  statusFile,
  takeUnit,
  unitDirectory,
} from "./pool";

let directory: string;
let machine: PooledMachine;
beforeEach(() => {
  directory = mkdtempSync("/tmp/runv-pool-");
  for (const name of ["kernel", "initrd"]) writeFileSync(`${directory}/${name}`, name);
  const [kernel, initrd] = [`${directory}/kernel`, `${directory}/initrd`];
  machine = { kernel, initrd, driver: "auto", driverOptions: {}, cpus: 1, memoryMiB: 128, network: "new" };
});
afterEach(() => rmSync(directory, { recursive: true }));

const pool = () => `${directory}/pool`;

function makeUnit(id: string, ready = true): string {
  const unit = unitDirectory(shapeDirectory(pool(), machine), poolKey(machine), id);
  mkdirSync(unit, { recursive: true });
  if (ready) writeFileSync(readyMark(unit), "");
  return unit;
}

test("a machine that is ready is taken, once", () => {
  const unit = makeUnit("one");
  expect(takeUnit(pool(), machine, `${directory}/mine`)).toBe(true);
  expect(existsSync(unit)).toBe(false);
  expect(readdirSync(`${directory}/mine`)).toEqual(["ready"]);
  expect(takeUnit(pool(), machine, `${directory}/another`)).toBe(false);
});

test("one that is in the making is not taken, nor one of another shape, kernel or driver", () => {
  makeUnit("one", false);
  expect(takeUnit(pool(), machine, `${directory}/mine`)).toBe(false);
  makeUnit("two");
  expect(takeUnit(pool(), { ...machine, cpus: 2 }, `${directory}/mine`)).toBe(false);
  expect(takeUnit(pool(), { ...machine, driver: "tcg" }, `${directory}/mine`)).toBe(false);
  rmSync(machine.kernel);
  writeFileSync(machine.kernel, "changed");
  expect(takeUnit(pool(), machine, `${directory}/mine`)).toBe(false);
});

test("without a pool there is nothing to take", () => {
  expect(takeUnit(pool(), machine, `${directory}/mine`)).toBe(false);
  expect(listPools(pool())).toEqual([]);
});

test("a keeper that has gone says nothing any more", () => {
  const shape = shapeDirectory(pool(), machine);
  mkdirSync(shape, { recursive: true });
  const say = (keeper: unknown) => writeFileSync(`${shape}/${statusFile}`, JSON.stringify({ keeper, size: 3 }));
  say(identityOf(process.pid));
  expect(listPools(pool())).toMatchObject([{ size: 3 }]);
  say({ pid: process.pid, startTime: 1 });
  expect(listPools(pool())).toEqual([]);
});
