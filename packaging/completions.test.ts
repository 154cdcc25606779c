/** The shells themselves complete, where they are here; a program named runv tells them of two containers. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programs } from "./commands";
import { bashCompletion, fishCompletion, zshCompletion } from "./completions";

const all = await programs();
const scratch = mkdtempSync(join(tmpdir(), "runv-completions-"));
afterAll(() => rmSync(scratch, { recursive: true }));

for (const directory of ["bin", "work/bundle"]) mkdirSync(join(scratch, directory), { recursive: true });
writeFileSync(join(scratch, "work/file"), "");
writeFileSync(
  join(scratch, "bin/runv"),
  '#!/bin/sh\n[ "$1" = --root ] && echo "below-$(basename "$2")" || printf "web\\nworker\\n"\n',
);
chmodSync(join(scratch, "bin/runv"), 0o755);
for (const [name, text] of Object.entries({
  bash: bashCompletion(all),
  zsh: zshCompletion(all),
  fish: fishCompletion(all),
})) {
  writeFileSync(join(scratch, name), text);
}

async function ask(command: string[]): Promise<string[]> {
  const child = Bun.spawn(command, {
    cwd: join(scratch, "work"),
    env: { ...process.env, PATH: `${join(scratch, "bin")}:${process.env.PATH}`, HOME: scratch, TERM: "dumb" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(errors).toBe("");
  return out
    .split("\n")
    .map((line) => line.split("\t")[0]!.trim())
    .filter(Boolean)
    .sort();
}

/** What bash has in COMPREPLY for a line that ends at the cursor, parted as it parts it at = too. */
function bash(line: string): Promise<string[]> {
  const words = line
    .split(" ")
    .flatMap((word) =>
      word.split(/(=)/).filter((part, at, parts) => part !== "" || parts.length === 1 || at === parts.length - 1),
    );
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `. ${join(scratch, "bash")}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; $(complete -p ${words[0]} | sed 's/.*-F \\([^ ]*\\).*/\\1/') ${words[0]}; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return ask(["bash", "--norc", "-c", script]);
}

const fish = (line: string) =>
  ask(["fish", "--no-config", "-c", `source ${join(scratch, "fish")}; complete -C '${line}'`]);

/** What zsh's own widgets are given: in a terminal, where alone they work, each line would take its loading of all completions. */
function zsh(line: string): Promise<string[]> {
  const words = line.split(" ");
  const script = `compdef() { :; }; compset() { PREFIX=\${PREFIX#*=}; }; compadd() { shift; print -rl -- "$@"; }
_describe() { local list=\${@[-1]}; print -rl -- \${\${(P)list}%%:*}; }; _files() { [[ $1 = -/ ]] && print -rl -- *(/) || print -rl -- *; }
source ${join(scratch, "zsh")}; words=(${words.map((word) => `'${word}'`).join(" ")}); CURRENT=${words.length} PREFIX='${words.at(-1)}'; _runv; true`;
  return ask(["zsh", "-f", "-c", script]);
}

for (const [name, complete] of Object.entries({ bash, fish, zsh })) {
  const here = Bun.which(name) !== null;
  describe.skipIf(!here)(`${name}${here ? "" : ": it is not here"}`, () => {
    const cases: [line: string, words: string[]][] = [
      ["runv im", ["image"]],
      ["runv image ", ["build", "info"]],
      ["runv --log-format ", ["json", "text"]],
      ["runv --log-format json temp", ["template"]],
      ["runv delete ", ["web", "worker"]],
      ["runv --root /x/y delete ", ["below-y"]],
      ["runv interface ls ", ["web", "worker"]],
      ["runv delete --fo", ["--force"]],
      ["runv ctr containers sta", ["start", "state", "stats"]],
      ["runv-ctr containers exe", ["exec"]],
      ["runv-containerd --state-d", ["--state-dir"]],
    ];
    for (const [line, words] of cases) {
      test(`${line}▸`, async () => {
        const found = await complete(line);
        // fish offers no more than what begins so; others may offer what the shell leaves out.
        expect(found.filter((word) => word.startsWith(line.split(" ").at(-1)!))).toEqual(words);
      });
    }

    test("the words of a bundle are directories, those of a configuration are files, those of run are nothing known", async () => {
      expect((await complete("runv run --bundle ")).map((path) => path.replace(/\/$/, ""))).toEqual(["bundle"]);
      expect((await complete("runv --kernel fi")).filter((path) => path.startsWith("fi"))).toEqual(["file"]);
    });
  });
}

test("bash: a value behind =", async () => {
  expect(await bash("runv --log-format=j")).toEqual(["json"]);
});
