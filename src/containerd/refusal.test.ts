import { expect, test } from "bun:test";
import { RunvError } from "../base/error";
import { containerNotFound, Refusal, refusalOf, statusOf } from "./refusal";

test("the words travel as they are: clients of that time do not decode blanks, and look for them", () => {
  const header = (message: string) => statusOf(new Refusal(message)).metadata.get("grpc-message");
  expect(header(containerNotFound().message)).toEqual(["containerd: container not found"]);
  expect(header('exec: "/no": 100%, é\n')).toEqual(['exec: "/no": 100%25, %C3%A9%0A']);
});

test("what was thrown, as clients see it", () => {
  const unknown = new RunvError("CONTAINER_UNKNOWN", "container does not exist");
  expect(refusalOf(unknown, "x: ")).toMatchObject({ code: 2, message: "containerd: container not found" });
  const failed = new RunvError("COMMAND_FAILED", "exec: not found", { hint: "look" });
  expect(refusalOf(failed, "oci runtime error: ").message).toBe("oci runtime error: exec: not found (look)");
  expect(refusalOf(new Refusal("as it is", 6), "x: ")).toMatchObject({ code: 6, message: "as it is" });
});
