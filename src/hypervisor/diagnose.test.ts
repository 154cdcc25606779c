import { expect, test } from "bun:test";
import { diagnose, type Evidence } from "./diagnose";

const running: Evidence = {
  hypervisor: "qemu",
  waitedMs: 30_000,
  exit: undefined,
  status: "running",
  portOpen: false,
  console: [],
};
const died = { code: 1, signal: null, stderr: "qemu: cannot allocate memory" };
const reset = { code: 0, signal: null, stderr: "" };
const boot = ["Linux version 6.1.0", "Run /init as init process"];
const panicked = [...boot, "[    1.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"];
const noInit = [
  "Warning: unable to open an initial console.",
  "[ 1.1] Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.",
];

const cases: [string, Partial<Evidence>, string, string][] = [
  ["nothing on the console", {}, "VM_KERNEL_SILENT", "the guest's kernel said nothing within 30 s"],
  [
    "a kernel that boots on",
    { console: boot },
    "VM_AGENT_SILENT",
    "the guest's kernel runs, but its agent did not answer within 30 s",
  ],
  [
    "an agent without a word",
    { portOpen: true },
    "VM_AGENT_SILENT",
    "the guest's agent opened its channel and said nothing",
  ],
  [
    "a panic",
    { exit: reset, console: panicked },
    "VM_KERNEL_PANIC",
    "the guest's kernel panicked: Attempted to kill init!",
  ],
  ["a panic that goes on", { console: panicked }, "VM_KERNEL_PANIC", "Attempted to kill init!"],
  ["no init", { exit: reset, console: noInit }, "VM_IMAGE_WRONG", "the guest's kernel found no init"],
  [
    "no root",
    { exit: reset, console: ["Kernel panic - not syncing: VFS: Unable to mount root fs"] },
    "VM_IMAGE_WRONG",
    "Unable to mount root fs",
  ],
  [
    "the agent says why",
    { console: [...boot, "runv-init: no port named runv.agent"] },
    "VM_AGENT_FAILED",
    "runv-init: no port",
  ],
  [
    "the agent says why and ends",
    { exit: reset, console: ["runv-init: x"] },
    "VM_AGENT_FAILED",
    "the guest's agent ended",
  ],
  ["a reset at once", { exit: reset }, "VM_KERNEL_SILENT", "reset the machine before it said anything"],
  ["a reset later", { exit: reset, console: boot }, "VM_DIED", "qemu ended while the guest was starting (exit code 0)"],
  ["QEMU died", { exit: died, console: boot }, "VM_DIED", "(exit code 1): qemu: cannot allocate memory"],
  ["QEMU was killed", { exit: { code: null, signal: "SIGKILL", stderr: "" } }, "VM_DIED", "(SIGKILL)"],
  ["QEMU hangs", { status: undefined }, "VM_STALLED", "qemu does not answer any more"],
  ["the machine stands", { status: "internal-error" }, "VM_STALLED", 'qemu says "internal-error"'],
];

test.each(cases)("%s", (_, evidence, code, message) => {
  const error = diagnose({ ...running, ...evidence });
  expect(error.code).toBe(code);
  expect(error.message).toContain(message);
});

test("a panic is shown with what led to it", () => {
  const { message } = diagnose({
    ...running,
    console: [...panicked, "Call Trace:", ...Array(20).fill(" ? f+0x1/0x2")],
  });
  expect(message).toEndWith(panicked.map((line) => `    ${line}`).join("\n"));
});

test("the console's last lines are shown, and no more", () => {
  const console = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  const { message } = diagnose({ ...running, console });
  expect(message).toEndWith(
    `; the console's last lines:\n${console
      .slice(-8)
      .map((line) => `    ${line}`)
      .join("\n")}`,
  );
});
