import { expect, test } from "bun:test";
import { MachineNics } from "./nics";

test("every interface of a machine has a number of its own, whatever network it is of", () => {
  const nics = new MachineNics("link");
  const made = [nics.make(), nics.make()].map(({ nic, port }) => `${nic.id} ${nic.mac} ${port.name}`);
  expect(made).toEqual(["nic0 02:72:75:6e:76:00 runv0", "nic1 02:72:75:6e:76:01 runv1"]);
  expect(nics.number()).toBe(2);
});

test("one thing is done after the other, also after one that failed", async () => {
  const nics = new MachineNics("link");
  const order: string[] = [];
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const first = nics.inTurn(async () => {
    await held;
    order.push("first");
    throw new Error("it failed");
  });
  const second = nics.inTurn(async () => order.push("second"));
  letGo();
  expect(first).rejects.toThrow("it failed");
  expect(await second).toBe(2);
  expect(order).toEqual(["first", "second"]);
});
