import { describe, expect, test } from "bun:test";
import { bool, int, ints, string, strings } from "./flags";
import { parseFlags, refuseOthers } from "./parse";

const flags = {
  bundle: string("", { short: "b" }),
  format: string("", { default: "table", short: "f" }),
  detach: bool("", { short: "d" }),
  all: bool("", { short: "a" }),
  env: strings("", { short: "e" }),
  gids: ints("", { short: "g" }),
  "preserve-fds": int("", { default: 0 }),
  default_cpus: int(""),
} as const;

const initial = {
  bundle: undefined,
  format: "table",
  detach: false,
  all: false,
  env: [],
  gids: [],
  "preserve-fds": 0,
  default_cpus: undefined,
};

type Case = [line: string, values: object, args?: string[]];

const words = (line: string) => (line === "" ? [] : line.split(" ").map((word) => (word === "''" ? "" : word)));

describe("flags anywhere", () => {
  const cases: Case[] = [
    ["", {}],
    ["ID", {}, ["ID"]],
    ["''", {}, [""]],
    ["-", {}, ["-"]],
    ["--bundle B ID", { bundle: "B" }, ["ID"]],
    ["--bundle=B ID", { bundle: "B" }, ["ID"]],
    ["-bundle B ID", { bundle: "B" }, ["ID"]],
    ["-bundle=B ID", { bundle: "B" }, ["ID"]],
    ["-b B ID", { bundle: "B" }, ["ID"]],
    ["-b=B ID", { bundle: "B" }, ["ID"]],
    ["--b B ID", { bundle: "B" }, ["ID"]],
    ["--bundle= ID", { bundle: "" }, ["ID"]],
    ["--bundle '' ID", { bundle: "" }, ["ID"]],
    ["--bundle a=b=c", { bundle: "a=b=c" }],
    ["--bundle=a=b=c", { bundle: "a=b=c" }],
    ["--bundle - ID", { bundle: "-" }, ["ID"]],
    ["--bundle -- ID", { bundle: "--" }, ["ID"]],
    ["--bundle --detach ID", { bundle: "--detach" }, ["ID"]],
    ["--bundle A --bundle B", { bundle: "B" }],
    ["--bundle A -b B", { bundle: "B" }],
    ["ID --bundle B", { bundle: "B" }, ["ID"]],
    ["ID -d", { detach: true }, ["ID"]],
    ["-d ID", { detach: true }, ["ID"]],
    ["--detach=true", { detach: true }],
    ["--detach=1", { detach: true }],
    ["--detach=T", { detach: true }],
    ["--detach=false", {}],
    ["-d --detach=0", {}],
    ["-d=F", {}],
    ["--detach false", { detach: true }, ["false"]],
    ["-d -a", { detach: true, all: true }],
    ["-a ID KILL", { all: true }, ["ID", "KILL"]],
    ["ID -a KILL", { all: true }, ["ID", "KILL"]],
    ["ID KILL -a", { all: true }, ["ID", "KILL"]],
    ["ID -9", {}, ["ID", "-9"]],
    ["ID --unknown", {}, ["ID", "--unknown"]],
    ["-- -d", {}, ["-d"]],
    ["ID -- -d", {}, ["ID", "-d"]],
    ["-d -- ID -- x", { detach: true }, ["ID", "--", "x"]],
    ["-e A=B", { env: ["A=B"] }],
    ["-e A=B -e C=D --env E", { env: ["A=B", "C=D", "E"] }],
    ["--env=A=B", { env: ["A=B"] }],
    ["-e A,B", { env: ["A,B"] }],
    ["-g 1 -g 2", { gids: [1, 2] }],
    ["--preserve-fds 3", { "preserve-fds": 3 }],
    ["--preserve-fds=0x10", { "preserve-fds": 16 }],
    ["--preserve-fds -1", { "preserve-fds": -1 }],
    ["--preserve-fds 010", { "preserve-fds": 8 }],
    ["--preserve-fds 1_000", { "preserve-fds": 1000 }],
    ["--default_cpus 2", { default_cpus: 2 }],
    ["--default-cpus 2", { default_cpus: 2 }],
    ["--preserve_fds 2", { "preserve-fds": 2 }],
  ];
  test.each(cases)("%s", (line, values, args = []) => {
    expect(parseFlags(flags, words(line), true)).toEqual({ flags: { ...initial, ...values } as never, args });
  });
});

describe("flags first", () => {
  const cases: Case[] = [
    ["ID ls -d", {}, ["ID", "ls", "-d"]],
    ["-d ID ls --bundle x", { detach: true }, ["ID", "ls", "--bundle", "x"]],
    ["-d ID -- ls", { detach: true }, ["ID", "--", "ls"]],
    ["-d -- ID ls", { detach: true }, ["ID", "ls"]],
    ["ID --", {}, ["ID", "--"]],
    ["- -d", {}, ["-", "-d"]],
  ];
  test.each(cases)("%s", (line, values, args = []) => {
    expect(parseFlags(flags, words(line), false)).toEqual({ flags: { ...initial, ...values } as never, args });
  });
});

test("flags of other subcommands are refused", () => {
  const given = (line: string) => parseFlags(flags, words(line), true).flags;
  expect(() => refuseOthers(flags, given("-d -g 1"), ["detach", "gids"])).not.toThrow();
  expect(() => refuseOthers(flags, given(""), [])).not.toThrow();
  expect(() => refuseOthers(flags, given("-d -g 1"), ["detach"])).toThrow("flag provided but not defined: -gids");
  expect(() => refuseOthers(flags, given("-b x"), ["detach"])).toThrow("flag provided but not defined: -bundle");
});

describe("refused", () => {
  const cases: [line: string, message: string][] = [
    ["--foo", "flag provided but not defined: -foo"],
    ["-foo=x ID", "flag provided but not defined: -foo"],
    ["-da", "flag provided but not defined: -da"],
    ["-9 ID", "flag provided but not defined: -9"],
    ["--toString", "flag provided but not defined: -toString"],
    ["--bundle", "flag needs an argument: -bundle"],
    ["ID -b", "flag needs an argument: -b"],
    ["---x", "bad flag syntax: ---x"],
    ["--=x", "bad flag syntax: --=x"],
    ["-=x", "bad flag syntax: -=x"],
    ["--detach=maybe", 'invalid boolean value "maybe" for -detach: parse error'],
    ["-d=", 'invalid boolean value "" for -d: parse error'],
    ["--preserve-fds q", 'invalid value "q" for flag -preserve-fds: parse error'],
    ["--preserve-fds 1.5", 'invalid value "1.5" for flag -preserve-fds: parse error'],
    ["--preserve-fds ''", 'invalid value "" for flag -preserve-fds: parse error'],
    ["--preserve-fds 99999999999999999999", 'invalid value "99999999999999999999" for flag -preserve-fds: parse error'],
    ["-g 1,2", 'invalid value "1,2" for flag -g: parse error'],
  ];
  test.each(cases)("%s", (line, message) => {
    expect(() => parseFlags(flags, words(line), true)).toThrow(new Error(message));
  });
});
