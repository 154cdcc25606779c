import { expect, test } from "bun:test";
import { parseConfig, readConfig } from "./config";

const parse = (text: string) => parseConfig(text, "config.toml");

test("the keys", () => {
  expect(parse('kernel = "/k"\ndefault_cpus = 2\ndriver = "tcg"\nallow_annotations = ["a"]')).toEqual({
    kernel: "/k",
    default_cpus: 2,
    allow_annotations: ["a"],
    driver: "tcg",
    driverOptions: {},
  });
  expect(parse("")).toEqual({ driverOptions: {} });
});

test("the keys of drivers", () => {
  const drivers = { qemu: "path", uri: "text" } as const;
  expect(parseConfig('qemu = "/q"\nuri = "x:"', "config.toml", drivers).driverOptions).toEqual({
    qemu: "/q",
    uri: "x:",
  });
  expect(() => parseConfig('qemu = "q"', "config.toml", drivers)).toThrow("qemu: must be an absolute path");
});

test.each([
  ["colour = 1", "config.toml: unknown key colour"],
  ["default_cpus = 0", "config.toml: default_cpus: must be a whole number above 0"],
  ["default_cpus = 1.5", "config.toml: default_cpus: must be a whole number above 0"],
  ['default_memory = "128"', "config.toml: default_memory: must be a whole number above 0"],
  ["kernel = 1", "config.toml: kernel: must be a text in quotes"],
  ['allow_annotations = "org.runv.driver"', "config.toml: allow_annotations: must be a list of texts in quotes"],
  ["allow_annotations = [1]", "config.toml: allow_annotations: must be a list of texts in quotes"],
  ['kernel = "vmlinux"', "config.toml: kernel: must be an absolute path"],
  ["kernel = \n", "config.toml: TOML Parse error"],
])("refuses %p", (text, message) => {
  expect(() => parse(text)).toThrow(message);
});

test("a file that is named must be there", () => {
  expect(() => readConfig({}, "/nonexistent/config.toml")).toThrow("/nonexistent/config.toml: ");
});
