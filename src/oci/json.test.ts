import { expect, test } from "bun:test";
import { patience } from "../../tests/support/patience";
import { parseJson } from "./json";
import { locateError } from "./json-position";

test("integers beyond 2^53 are bigints, everything else is as JSON.parse has it", () => {
  const text =
    '{"a":18446744073709551615,"b":-9007199254740993,"c":9007199254740991,"d":1.5e300,"e":"18446744073709551615"}';
  expect(parseJson(text, "x")).toEqual({
    a: 18446744073709551615n,
    b: -9007199254740993n,
    c: 9007199254740991,
    d: 1.5e300,
    e: "18446744073709551615",
  });
  expect(parseJson("\ufeff[1, 2]", "x")).toEqual([1, 2]);
});

const mistakes: [text: string, line: number, column: number, problem: string][] = [
  ["", 1, 1, "expected a value, got the end of the text"],
  ["  \n ", 2, 2, "expected a value, got the end of the text"],
  ['{"a": 1,\n  "b": x}', 2, 8, 'expected a value, got "x"'],
  ['{"a": 1\n"b": 2}', 2, 1, 'expected "," or "}", got "\\""'],
  ['{"a": 1,}', 1, 9, 'unexpected "}" after a comma'],
  ["[1,\n2,\n]", 3, 1, 'unexpected "]" after a comma'],
  ["[1 2]", 1, 4, 'expected "," or "]", got "2"'],
  ["{a: 1}", 1, 2, 'expected a quoted name, got "a"'],
  ['{"a" 1}', 1, 6, 'expected ":", got "1"'],
  ['{"é": "ü", "a": tru}', 1, 17, 'expected a value, got "tru"'],
  ["[01]", 1, 2, 'expected a value, got "01"'],
  ["[1.]", 1, 2, 'expected a value, got "1."'],
  ["[+1]", 1, 2, 'expected a value, got "+1"'],
  ["[NaN]", 1, 2, 'expected a value, got "NaN"'],
  ["['a']", 1, 2, 'expected a value, got "\'"'],
  ['["a\nb"]', 1, 2, "string without an end"],
  ['["a', 1, 2, "string without an end"],
  ['["a\tb"]', 1, 4, "control character in a string"],
  ['["\\x"]', 1, 3, "unknown escape sequence in a string"],
  ['["\\u12"]', 1, 3, "unknown escape sequence in a string"],
  ["{} {}", 1, 4, 'expected the end, got "{"'],
  ["// c\n{}", 1, 1, 'expected a value, got "/"'],
  [`${"[".repeat(600)}1`, 1, 501, "nested too deeply"],
];

for (const [text, line, column, problem] of mistakes) {
  test(`${JSON.stringify(text.slice(0, 30))}: ${problem}`, () => {
    expect(() => JSON.parse(text)).toThrow();
    expect(locateError(text)).toEqual({ line, column, problem });
    expect(() => parseJson(text, "config.json")).toThrow(
      `config.json: invalid JSON at line ${line}, column ${column}: ${problem}`,
    );
  });
}

test("a long document is searched fast", () => {
  const text = `[${'{"a": [1, 2.5e3, "\\u0041", true, null]},\n'.repeat(50_000)}x]`;
  const start = performance.now();
  expect(locateError(text)).toMatchObject({ line: 50_001, column: 1 });
  expect(performance.now() - start).toBeLessThan(2000 * patience);
});
