/** Throughput (iperf3, one stream of TCP) and round trips (ping) between the host and a container, and between two containers. */
import { ask, time } from "../command";
import { remove, runningRuntimes } from "../containers";
import { addressOf, BenchNetwork, hostAddress, installProgram } from "../network";
import { type Figures, figure } from "../result";
import { interleave } from "../rounds";
import type { Runtime } from "../runtimes";
import type { Measure } from "./index";

const iperf3 = "/usr/bin/iperf3";

/** Two containers of a runtime, which serve. */
interface Pair {
  runtime: Runtime;
  /** The numbers of their namespaces. */
  one: number;
  other: number;
}

export const measureNetwork: Measure = async (rig) => {
  const [rounds, seconds, pings] = rig.quick ? [1, 1, 10] : [3, 3, 20];
  installProgram(rig, iperf3);
  const pairs = runningRuntimes(rig).map(
    (runtime, index): Pair => ({ runtime, one: 2 * index + 2, other: 2 * index + 3 }),
  );
  const network = new BenchNetwork(rig);
  const client = (address: string, ...flags: string[]) => [
    iperf3,
    "-J",
    "-t",
    String(seconds),
    "-c",
    address,
    ...flags,
  ];
  const ping = (address: string) => ["ping", "-q", "-c", String(pings), "-i", "0.1", address];
  const inside = ({ runtime, other }: Pair, words: string[]) => runtime.words("exec", idOf(runtime, other), ...words);
  const each = (sample: (pair: Pair) => number) =>
    interleave(
      rounds,
      pairs.map((pair) => ({ name: pair.runtime.name, sample: () => sample(pair) })),
    );
  try {
    for (const { runtime, one, other } of pairs) {
      for (const number of [one, other]) {
        const bundle = network.bundle(number, iperf3, "-s");
        time(runtime.words("run", "-d", "-b", bundle, idOf(runtime, number)));
      }
    }
    const figures: Figures = {
      "network-in": figure(
        "network: host to container",
        "Gbit/s",
        await each(({ one }) => throughput(network.onHost(...client(addressOf(one))))),
      ),
      "network-out": figure(
        "  container to host",
        "Gbit/s",
        await each(({ one }) => throughput(network.onHost(...client(addressOf(one), "-R")))),
      ),
      "network-between": figure(
        "  container to container",
        "Gbit/s",
        await each((pair) => throughput(inside(pair, client(addressOf(pair.one))))),
      ),
      "ping-host": figure(
        "ping: container to host",
        "ms",
        await each((pair) => roundTrip(inside(pair, ping(hostAddress)))),
      ),
      "ping-between": figure(
        "  container to container",
        "ms",
        await each((pair) => roundTrip(inside(pair, ping(addressOf(pair.one))))),
      ),
    };
    return figures;
  } finally {
    for (const { runtime, one, other } of pairs) {
      for (const number of [one, other]) await remove(runtime, idOf(runtime, number));
    }
    network.remove();
  }
};

function idOf(runtime: Runtime, number: number): string {
  return runtime.id(`network-${number}`);
}

/** What iperf3's receiver got, in Gbit/s. */
function throughput(words: string[]): number {
  const { end, error } = JSON.parse(ask(words));
  if (error !== undefined) throw new Error(`${words.join(" ")}: ${error}`);
  return end.sum_received.bits_per_second / 1e9;
}

/** The mean round trip of busybox's ping, in milliseconds; every packet must have come back. */
function roundTrip(words: string[]): number {
  const said = ask(words);
  const mean = /= [\d.]+\/([\d.]+)\//.exec(said)?.[1];
  if (mean === undefined || !said.includes(" 0% packet loss")) throw new Error(`${words.join(" ")}: ${said}`);
  return Number(mean);
}
