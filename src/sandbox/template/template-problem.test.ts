import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { RunvError } from "../../base/error";
import { checkProblems } from "./check-problems";
import { costsTheTemplate, failedLately, forgetProblem, noteProblem, templateProblems } from "./template-problem";
import { processFiles } from "./template-process";

test("a problem is remembered for a while, and told", () => {
  const store = mkdtempSync("/tmp/runv-templates-");
  noteProblem(store, "k1", new RunvError("VM_SAVE", "no space left"));
  expect([failedLately(store, "k1"), failedLately(store, "k2")]).toEqual([true, false]);
  expect(templateProblems(store)).toEqual([{ key: "k1", problem: "no space left" }]);
  const settings = { directory: store, budgetMiB: 1, idleSeconds: 1, reserveMiB: 1 };
  mkdirSync(`${store}/k3`);
  writeFileSync(processFiles(`${store}/k3`).record, JSON.stringify({ problem: "its memory is shared" }));
  expect(checkProblems(settings).map(({ status, detail }) => [status, detail])).toEqual([
    ["warning", "k1 could not be made, its machines boot: no space left"],
    ["warning", "k3 is cloned from its files, not forked: its memory is shared"],
  ]);
  expect(checkProblems(undefined)).toEqual([]);
  utimesSync(`${store}/.problem-k1`, 1, 1);
  expect([failedLately(store, "k1"), templateProblems(store)]).toEqual([false, []]);
  noteProblem(store, "k1", new Error("x"));
  forgetProblem(store, "k1");
  expect(templateProblems(store)).toEqual([]);
  rmSync(store, { recursive: true });
  // A directory that is not there, or cannot be written to, is no error.
  noteProblem(store, "k1", new Error("x"));
  expect(templateProblems(store)).toEqual([]);
});

test.each([
  ["VM_SAVE", true],
  ["VM_QMP_REFUSED", true],
  ["VM_DIED", true],
  ["VM_QEMU_START", true],
  ["VM_KERNEL_PANIC", false],
  ["VM_AGENT_SILENT", false],
  ["VM_QEMU_MISSING", false],
  ["IMAGE_NOT_FOUND", false],
])("%s costs the template only: %p", (code, only) => {
  expect(costsTheTemplate(new RunvError(code, "x"))).toBe(only);
});
