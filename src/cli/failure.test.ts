import { expect, test } from "bun:test";
import { RunvError } from "../base/error";
import { Failure } from "./failure";

test("a failure keeps the code, the hint and the cause", () => {
  const below = new RunvError("CONTAINER_UNKNOWN", "container does not exist", { hint: "look at runv list" });
  const failure = new Failure(below, { prefix: "exec failed: ", exitCode: 255 });
  expect(failure).toMatchObject({
    message: "exec failed: container does not exist",
    code: "CONTAINER_UNKNOWN",
    hint: "look at runv list",
    exitCode: 255,
    cause: below,
  });
});

test("anything can be thrown", () => {
  expect(new Failure("oops", {})).toMatchObject({ message: "oops", code: "UNEXPECTED", exitCode: 1, hint: undefined });
});
