import { expect, test } from "bun:test";
import { linux } from "../../oci/linux";
import { assertMemoryPolicy } from "./memory-policy";

const refusal = (mode: string, online: string, nodes?: string) => () =>
  assertMemoryPolicy(linux({ memoryPolicy: { mode, nodes } }), online);

test("on a host with one memory node any policy is kept", () => {
  expect(refusal("MPOL_BIND", "0", "0")).not.toThrow();
  expect(refusal("MPOL_INTERLEAVE", "0", "0-1")).not.toThrow();
});

test("on a host with several, only what says nothing of them", () => {
  const refused = /^linux\.memoryPolicy: MPOL_BIND is not supported on a host with several memory nodes/;
  expect(refusal("MPOL_BIND", "0-1", "0")).toThrow(refused);
  expect(refusal("MPOL_PREFERRED", "0,2")).toThrow("linux.memoryPolicy: MPOL_PREFERRED");
  for (const mode of ["MPOL_DEFAULT", "MPOL_LOCAL"]) expect(refusal(mode, "0-1")).not.toThrow();
  expect(() => assertMemoryPolicy(linux({}), "0-1")).not.toThrow();
});
