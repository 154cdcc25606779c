/** Tests of hypervisors that most machines do not have: on this one where it has them, else in a machine of the lab (docs/lab.md). */
import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const project = join(import.meta.dir, "../..");

export interface LabSuite {
  /** The kind of the lab's machine. */
  kind: string;
  /** The driver that the conformance suite runs with. */
  driver: string;
  /** More tests, files of this directory whose names keep them from other machines. */
  also?: readonly string[];
  /** Of which architecture guests are, where that is not this machine's (RUNV_TEST_ARCH). */
  guests?: string;
  /** For the suite in the lab only, beside the driver's name. */
  environment?: Readonly<Record<string, string>>;
  /** Whether this machine is one on which they can run. */
  isHere(): boolean;
  /** What this machine has not and the lab's would need of it. */
  missing?(): string | undefined;
  /** How long the machine may take altogether, on a machine that is busy too. */
  seconds?: number;
}

/** The exit code of lab/run when its machine itself has failed: an emulated processor may go wrong, and its kernel panic. */
const machineFailed = 125;

/** Of one test in there, in milliseconds. */
const mostOfEach = 600_000;

/** Declares as one test that the driver's conformance suite passes, and the files beside it. It fails with all that they say. */
export function labTest(suite: LabSuite): void {
  const { kind, driver, also = [], guests, environment, isHere, missing, seconds = 720 } = suite;
  const name = `the conformance suite passes with --driver ${driver}${guests === undefined ? "" : `, guests of ${guests}`}`;
  const here = isHere();
  const emulated = process.arch === "x64" ? undefined : "the lab's machines are x86-64, as this one must be";
  const why = missing?.() ?? (here ? undefined : emulated);
  if (why !== undefined) {
    process.stderr.write(`${name}: skipped: ${why}\n`);
    test.skip(name, () => {});
    return;
  }
  test(
    name,
    async () => {
      const results = mkdtempSync(join(tmpdir(), "runv-lab-"));
      try {
        const report = join(here ? results : "/results", "report.xml");
        const files = ["./tests/drivers/conformance.test.ts", ...also.map((file) => `./tests/lab/${file}`)];
        const options = ["--timeout", String(mostOfEach), "--reporter=junit", `--reporter-outfile=${report}`];
        const command = [process.execPath, "test", ...options, ...files];
        const lab = ["lab/run", "--timeout", String(seconds), "--results", results, kind, ...command];
        const variables = {
          RUNV_TEST_DRIVERS: driver,
          ...(guests !== undefined && { RUNV_TEST_ARCH: guests }),
          ...(here ? {} : environment),
        };
        const attempt = () => run(here ? command : lab, variables, join(results, "output"));
        let { output, code } = await attempt();
        if (!here && code === machineFailed) {
          process.stderr.write(`${name}: once more, for the machine itself failed:\n${output.slice(-2000)}\n`);
          ({ output, code } = await attempt());
        }
        if (code !== 0) throw new Error(`exit code ${code}\n${output}`);
        const { tests, failures, skipped } = countsOf(readFileSync(join(results, "report.xml"), "utf8"));
        expect(tests).toBeGreaterThan(0);
        expect(failures).toBe(0);
        const place = here ? "on this machine" : `in lab/run ${kind}`;
        const remarks = output.split("\n").filter((line) => line.startsWith("remark: "));
        const lines = [`--driver ${driver}: ${tests - skipped} tests passed ${place}, ${skipped} skipped`, ...remarks];
        process.stderr.write(lines.map((line) => `${line}\n`).join(""));
      } finally {
        rmSync(results, { recursive: true });
      }
    },
    2 * (seconds + 60) * 1000,
  );
}

/** Runs it, with its output into a file: what Bun calls a pipe is a socket, to which a lab's machine cannot write. */
async function run(command: readonly string[], environment: Record<string, string>, path: string) {
  const file = openSync(path, "w");
  try {
    const env = { ...process.env, ...environment };
    const code = await Bun.spawn([...command], { cwd: project, env, stdio: ["ignore", file, file] }).exited;
    return { output: readFileSync(path, "utf8"), code };
  } finally {
    closeSync(file);
  }
}

/** What Bun's report says of all its tests. */
function countsOf(report: string): { tests: number; failures: number; skipped: number } {
  const all = /^<testsuites .*$/m.exec(report)?.[0] ?? "";
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(all)?.[1]);
  return { tests: count("tests"), failures: count("failures"), skipped: count("skipped") };
}
