import { expect, test } from "bun:test";
import { RunvError } from "../base/error";
import { inWordsOf, orCreateFail } from "./runc-words";

const missing = 'unable to start container process: exec: "none": executable file not found in $PATH';
const since12 =
  'unable to start container process: error during container init: exec: "none": executable file not found in $PATH';

test.each([
  [undefined, missing],
  ["1.0.0-rc2", missing],
  ["1.1.5+ds1", missing],
  ["1.2.0-rc.1", since12],
  ["1.3.6+ds1", since12],
  ["2.0.0", since12],
])("with runc %s", (version, words) => {
  expect(inWordsOf(version, missing)).toBe(words);
});

test("what is none of the first process's stays as it is, code and hint too", async () => {
  expect(inWordsOf("1.3.6", "container with given ID already exists")).toBe("container with given ID already exists");
  const fails = orCreateFail("runv create failed", () =>
    Promise.reject(new RunvError("EXISTS", "container with given ID already exists", { hint: "another" })),
  );
  await expect(fails).rejects.toMatchObject({
    ...{ code: "EXISTS", hint: "another", exitCode: 1 },
    message: "runv create failed: container with given ID already exists",
  });
});
