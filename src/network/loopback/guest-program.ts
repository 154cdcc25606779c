import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_STREAM } from "../../linux/constants";
import { Assembler } from "../../program/assembler";
import type { Program } from "../../program/program";
import { carryConnection, carryingHead } from "../carried";
import { enterNetwork } from "../guest-programs";
import { socketAddress } from "../socket-address";

/**
 * Connects to what listens at a port of a guest's loopback addresses, stops, and carries the connection.
 * @param namespace as `enterNetwork` has it
 */
export function connectToLoopback(port: number, namespace: number | undefined): Program {
  const p = new Assembler();
  p.doing(`connect to port ${port} of the guest's loopback address`);
  enterNetwork(p, namespace);
  const [connected, other] = [p.label(), p.label()];
  const connection = p.value("socket", [AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0]);
  const address = socketAddress("127.0.0.1", port);
  p.syscall("connect", [connection, p.bytes(address), address.length], { accept: "any", otherwise: other });
  p.jump(connected);
  p.place(other);
  p.syscall("close", [connection]);
  p.syscall("socket", [AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0], { into: connection });
  const address6 = socketAddress("::1", port);
  p.syscall("connect", [connection, p.bytes(address6), address6.length]);
  p.place(connected);
  p.stop();
  carryConnection(p, connection);
  return p.assemble(carryingHead);
}
