import { expect, test } from "bun:test";
import { withoutRuntime, withRuntime } from "./containerd-config";

const block = (plugin: string, name = "runv") => `
# ${name}: written by runv install-containerd
[plugins."${plugin}".containerd.runtimes.${name}]
  runtime_type = "io.containerd.runv.v2"
# ${name}: end
`;
const [two, three] = [block("io.containerd.grpc.v1.cri"), block("io.containerd.cri.v1.runtime")];
/** As Debian's containerd has it. */
const debian = `version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni" # a remark
      conf_dir = "/etc/cni/net.d"
`;

test("a file that is not there, or empty", () => {
  for (const text of [undefined, "", "\n"]) expect(withRuntime(text, "f", "runv")).toBe(`version = 2\n${two}`);
  expect(withoutRuntime(`version = 2\n${two}`, "runv")).toBeUndefined();
  expect(withoutRuntime(undefined, "runv")).toBeUndefined();
});

test("what is there stays to the letter, and comes back", () => {
  const runc = debian.replace(/\n$/, '\n    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]\n');
  for (const text of [debian, runc, "version = 2\n# no more"]) {
    const after = withRuntime(text, "f", "runv");
    expect(after.startsWith(text)).toBe(true);
    expect(after).toEndWith(two);
    expect(withRuntime(after, "f", "runv")).toBe(after);
    expect(`${withoutRuntime(after, "runv")}`.trimEnd()).toBe(text.trimEnd());
  }
});

test("version 3, and two of them", () => {
  const one = withRuntime("version = 3\n", "f", "runv");
  expect(one).toBe(`version = 3\n${three}`);
  const both = withRuntime(one, "f", "small");
  expect(both).toBe(`version = 3\n${three}${block("io.containerd.cri.v1.runtime", "small")}`);
  expect(withoutRuntime(both, "runv")).toBe(`version = 3\n${block("io.containerd.cri.v1.runtime", "small")}`);
});

test("a runtime that somebody wrote by hand is left alone", () => {
  const table = '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runv]\n';
  const same = `version = 2\n${table}runtime_type = "io.containerd.runv.v2"\n`;
  expect(withRuntime(same, "f", "runv")).toBe(same);
  expect(withoutRuntime(same, "runv")).toBe(same);
  const other = `version = 2\n${table}runtime_type = "io.containerd.runc.v2"\n`;
  expect(() => withRuntime(other, "f", "runv")).toThrow('f: it has another runtime "runv"');
});

test("a file that cannot be added to is left alone", () => {
  expect(() => withRuntime('disabled_plugins = ["cri"]\n', "f", "runv")).toThrow("f: it is of version 1, not 2 or 3");
  expect(() => withRuntime("version = 2\n[[\n", "f", "runv")).toThrow("f: TOML Parse error");
});
