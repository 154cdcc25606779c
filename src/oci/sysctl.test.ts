import { expect, test } from "bun:test";
import { readConfig } from "./config";
import { sysctlFile, sysctlWithDots } from "./sysctl";

test("both ways to write a sysctl", () => {
  expect(sysctlWithDots("net/ipv4/conf/eno2.100/rp_filter")).toBe("net.ipv4.conf.eno2/100.rp_filter");
  expect(sysctlWithDots("net.ipv4.conf.eno2/100.rp_filter")).toBe("net.ipv4.conf.eno2/100.rp_filter");
  for (const name of ["net/ipv4/conf/eno2.100/rp_filter", "net.ipv4.conf.eno2/100.rp_filter"]) {
    expect(sysctlFile(name)).toBe("net/ipv4/conf/eno2.100/rp_filter");
  }
  expect(sysctlFile("kernel.sem")).toBe("kernel/sem");
});

test("the sysctls of namespaces that a container has", () => {
  const sysctl = {
    "kernel.shm_rmid_forced": "1",
    "fs.mqueue.msg_max": "10",
    "net/ipv4/ip_forward": "1",
    "kernel.domainname": "a",
  };
  const config = (types: string[]) => ({
    ociVersion: "1.0.0",
    process: { args: ["a"], cwd: "/" },
    root: { path: "/" },
    linux: { sysctl, namespaces: types.map((type) => ({ type })) },
  });
  expect(readConfig(config(["ipc", "network", "uts"])).linux.sysctl).toEqual(sysctl);
  for (const types of [
    ["network", "uts"],
    ["ipc", "uts"],
    ["ipc", "network"],
  ]) {
    expect(() => readConfig(config(types))).toThrow("linux.sysctl[");
  }
});
