import { expect, test } from "bun:test";
import { listeners } from "./forwarder";

const header =
  "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
const row = (number: number, local: string) =>
  `  ${number}: ${local} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 20123 2 0000000000000000 0\n`;

test("Docker's resolver at any port, others at port 53 of loopback addresses of their own", () => {
  const table = [
    header,
    row(61, "0B00007F:A3F1"),
    row(62, "3500007F:0035"),
    row(63, "0100007F:0035"),
    row(64, "00000000:0035"),
    row(65, "0200007F:1234"),
    row(66, "3500007F:0035"),
  ].join("");
  expect(listeners(table)).toEqual(["127.0.0.11", "127.0.0.53"]);
});

test("none", () => expect(listeners(header)).toEqual([]));
