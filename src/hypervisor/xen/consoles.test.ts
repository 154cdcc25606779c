import { expect, test } from "bun:test";
import { secondConsole } from "./consoles";

const line = (console: number, key: string, value: string) =>
  `/local/domain/3/device/console/${console}/${key} = "${value}"\n`;

test("the channel behind the first console after the domain's own", () => {
  const listing = [
    line(2, "output", "chardev:libxl-channel1"),
    line(1, "backend", "/local/domain/0/backend/console/3/1"),
    line(1, "output", "chardev:libxl-channel0"),
  ].join("");
  expect(secondConsole(listing)).toBe(0);
  // libxl 4.17 makes none for the first channel.
  expect(secondConsole(line(1, "output", "chardev:libxl-channel1"))).toBe(1);
  expect(secondConsole(line(0, "output", "pty"))).toBeUndefined();
});
