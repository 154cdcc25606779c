import { expect, test } from "bun:test";
import { Ports, portOptions } from "./ports";

test("each device has a port of its own, and a port that was released is taken again", () => {
  const ports = new Ports(2);
  expect([ports.take("a"), ports.take("b")]).toEqual([{ bus: "port0" }, { bus: "port1" }]);
  expect(() => ports.take("c")).toThrow("its 2 ports for devices are taken");
  ports.release("nobody");
  ports.release("a");
  expect(ports.take("c")).toEqual({ bus: "port0" });
});

test("where there are no ports a device needs none", () => {
  expect(new Ports(0).take("a")).toEqual({});
  expect(portOptions(0)).toEqual([]);
  expect(portOptions(2).filter((word) => word !== "-device")).toEqual([
    "pcie-root-port,id=port0,chassis=1",
    "pcie-root-port,id=port1,chassis=2",
  ]);
});
