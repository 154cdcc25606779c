import { expect, test } from "bun:test";
import { readDocument } from "../oci/mismatch";
import { type Resources, resources } from "../oci/resources";
import { changedLimits, mergedLimits } from "./changed-limits";
import { combined } from "./update";

const read = (document: unknown): Resources => readDocument(resources, document);

test("what is 0, empty or absent is no change", () => {
  const update = { memory: { limit: 0, swap: 0 }, cpu: { shares: 0, cpus: "", idle: 0 }, pids: { limit: 0 } };
  expect(changedLimits(read(update), undefined)).toMatchObject({ memory: {}, cpu: { idle: 0 }, pids: {} });
  expect(changedLimits(read({ cpu: { burst: 0 } }), read({ cpu: { burst: 5 } })).cpu).toEqual({ burst: 0 });
  expect(changedLimits(read({}), read({ memory: { limit: 5 } })).memory).toEqual({});
});

test("a quota has the period that there was, and the other way round", () => {
  const before = read({ cpu: { quota: 500, period: 1000 } });
  expect(changedLimits(read({ cpu: { period: 900 } }), before).cpu).toEqual({ quota: 500, period: 900 });
  expect(changedLimits(read({ cpu: { quota: -1 } }), before).cpu).toEqual({ quota: -1, period: 1000 });
  expect(changedLimits(read({ cpu: { period: 900 } }), undefined).cpu).toEqual({ quota: -1, period: 900 });
  expect(changedLimits(read({ cpu: { quota: 9 } }), undefined).cpu).toEqual({ quota: 9, period: 100_000 });
});

test("swap alone is counted with the memory that there was", () => {
  const before = read({ memory: { limit: 100 } });
  expect(changedLimits(read({ memory: { swap: 150 } }), before).memory).toEqual({ swap: 150, limit: 100 });
  expect(changedLimits(read({ memory: { swap: -1 } }), before).memory).toEqual({ swap: -1 });
});

test("a change is kept with what it did not change", () => {
  const before = read({ devices: [{ allow: false }], memory: { limit: 100 }, cpu: { shares: 7 }, pids: { limit: 3 } });
  const after = mergedLimits(before, changedLimits(read({ memory: { reservation: 50 }, pids: { limit: 4 } }), before));
  expect(after).toMatchObject({ memory: { limit: 100, reservation: 50 }, cpu: { shares: 7 }, pids: { limit: 4 } });
  expect(after.devices).toHaveLength(1);
});

test("a machine needs room for all that its containers are limited to", () => {
  const others = [read({ memory: { limit: 10 }, cpu: { quota: 30_000, period: 20_000 } }), undefined, read({})];
  const need = combined(read({ memory: { limit: 5 }, cpu: { quota: 50_000, period: 100_000 } }), others);
  expect(need).toMatchObject({ memory: { limit: 15 }, cpu: { quota: 200_000, period: 100_000 } });
  expect(combined(read({ pids: { limit: 5 }, memory: { limit: -1 } }), others)).toMatchObject({
    memory: { limit: 0 },
    cpu: { quota: 0 },
  });
});
