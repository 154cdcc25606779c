import { expect, test } from "bun:test";
import { fromTimestamp, toTimestamp } from "../../protobuf/timestamp";
import { codec } from "./codec";
import { goJson } from "./go-json";
import { messages } from "./messages";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("bytes as protocol buffers have them: numbers of fields, both wires of times", () => {
  const event = codec("Event");
  // 1: "exit", 2: "a", 3: 137, 4: "init", 6: { 1: 5, 2: 7 }
  const newer = "0a0465786974120161188901220469 6e69743204080510 07".replaceAll(" ", "");
  const message = { type: "exit", id: "a", status: 137, pid: "init", timestamp: { seconds: 5n, nanos: 7 } };
  expect(hex(event.encode(message))).toBe(newer);
  expect(event.decode(Buffer.from(newer, "hex"))).toEqual({ ...message, seconds: 0n });
  expect(hex(event.encode({ type: "live", seconds: 5n }))).toBe("0a046c6976652805");
  expect(codec("EventsRequest").decode(Buffer.from("0805", "hex"))).toMatchObject({ seconds: 5n, timestamp: null });
  expect(codec("EventsRequest").decode(Buffer.from("12020805", "hex"))).toMatchObject({
    seconds: 0n,
    timestamp: { seconds: 5n, nanos: 0 },
  });
});

test("integers of 64 bits, negative seconds, maps, messages without content", () => {
  const most = 2n ** 64n - 1n;
  const limits = codec("UpdateResource");
  expect(limits.decode(limits.encode({ memorySwap: most })).memorySwap).toBe(most);
  const times = codec("Timestamp");
  expect(times.decode(times.encode({ seconds: -62_135_596_800n })).seconds).toBe(-62_135_596_800n);
  const stats = codec("MemoryStats");
  expect(stats.decode(stats.encode({ stats: { anon: most } })).stats).toEqual({ anon: most });
  expect(codec("Process").decode(codec("Process").encode({ user: {} })).user).toEqual({
    uid: 0,
    gid: 0,
    additionalGids: [],
  });
});

test("no message has a number twice", () => {
  for (const [name, fields] of Object.entries(messages)) {
    const numbers = Object.values(fields).map(({ number }) => number);
    expect([name, new Set(numbers).size]).toEqual([name, numbers.length]);
  }
});

test("JSON as Go writes it: declared order, nothing that is zero, messages that are there", () => {
  const process = {
    cwd: "/",
    pid: "init",
    user: {},
    systemPid: 7,
    terminal: false,
    rlimits: [{ type: "R", soft: 2n ** 63n }],
  };
  expect(goJson("Process", process)).toBe(
    '{"pid":"init","user":{},"cwd":"/","systemPid":7,"rlimits":[{"type":"R","soft":9223372036854775808}]}',
  );
  const stats = {
    seconds: 5n,
    timestamp: { seconds: 5n, nanos: 0 },
    cgroup_stats: { memory_stats: { stats: { b: 1n, a: 0n } } },
  };
  expect(goJson("StatsResponse", stats)).toBe(
    '{"cgroup_stats":{"memory_stats":{"stats":{"a":0,"b":1}}},"timestamp":{"seconds":5}}',
  );
});

test("timestamps that Go takes", () => {
  expect(fromTimestamp({})).toBe(0n);
  expect(fromTimestamp({ seconds: -62_135_596_800n, nanos: 0 })).toBeUndefined();
  for (const bad of [{ seconds: -62_135_596_801n }, { seconds: 253_402_300_800n }, { nanos: -1 }, { nanos: 1e9 }]) {
    expect(fromTimestamp(bad)).toBe("invalid");
  }
  expect(toTimestamp(-1n)).toEqual({ seconds: -1n, nanos: 999_999_999 });
});
