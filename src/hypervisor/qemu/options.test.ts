import { expect, test } from "bun:test";
import { type QemuMachine, qemuArguments } from "./options";
import { parseVersion } from "./version";

const machine: QemuMachine = {
  name: "c1",
  kernel: "/kernel",
  initrd: "/initrd",
  commandLine: ["quiet"],
  cpus: 2,
  memoryMiB: 256,
  version: [7, 2, 22],
  accelerator: "tcg",
  descriptors: { qmp: 3, agent: 4, console: 5, tap: 6, vhost: 7, share: 9 },
};

const balloon = "virtio-balloon-pci,free-page-reporting=on,page-poison=off";

/** What follows an option, each time it is given. */
function given(option: string, changes: Partial<QemuMachine> = {}): (string | undefined)[] {
  const args = qemuArguments({ ...machine, ...changes });
  return args.flatMap((arg, index) => (arg === option ? [args[index + 1]] : []));
}

test.each([
  ["5.0.0", true, false],
  ["6.2.0", true, false],
  ["7.2.22", true, false],
  ["8.0.0", false, true],
  ["9.0.2", false, true],
  ["10.1.0", false, true],
])("version %s: -no-hpet %p, hpet=off %p", (text, option, property) => {
  const version = parseVersion(`QEMU emulator version ${text}`)!;
  expect(qemuArguments({ ...machine, version }).includes("-no-hpet")).toBe(option);
  expect(given("-machine", { version })[0]!.includes(",hpet=off")).toBe(property);
});

test.each(["5.0.0", "7.2.0", "9.0.0", "10.0.0"])("version %s gets no option that was removed", (text) => {
  const args = qemuArguments({ ...machine, version: parseVersion(`QEMU emulator version ${text}`)! });
  for (const gone of ["-chroot", "-no-acpi", "-realtime", "-runas", "-balloon", "-writeconfig"]) {
    expect(args).not.toContain(gone);
  }
  expect(args.join(" ")).not.toMatch(/\bno?(wait|server|delay)\b(?!=)/);
});

test("the accelerators", () => {
  expect(given("-accel")).toEqual(["tcg,thread=multi,tb-size=128"]);
  expect(given("-cpu")).toEqual(["max,-erms"]);
  // All of that family of features or none: a processor with some of it is none that anybody makes.
  expect(given("-cpu", { version: [8, 0, 0] })).toEqual(["max,-erms,-fsrm,-fzrm,-fsrs,-fsrc"]);
  expect(given("-accel", { accelerator: "kvm" })).toEqual(["kvm"]);
  expect(given("-cpu", { accelerator: "kvm" })).toEqual(["host"]);
});

test("the guest's kernel", () => {
  const kvm = given("-append", { accelerator: "kvm" })[0]!.split(" ");
  for (const word of ["console=ttyS0", "panic=-1", "reboot=t"]) expect(kvm).toContain(word);
  expect(kvm.at(-1)).toBe("quiet");
  expect(kvm).not.toContain("no_timer_check");
  expect(kvm).not.toContain("mitigations");
  expect(given("-append")[0]).toContain("no_timer_check mitigations=off");
});

test("what is restored boots no kernel", () => {
  const options = ["-kernel", "-initrd", "-append", "-incoming"];
  expect(options.map((option) => given(option, { restore: 9 }).length)).toEqual([0, 0, 0, 1]);
  expect(options.map((option) => given(option).length)).toEqual([1, 1, 1, 0]);
});

test("room to grow", () => {
  const size = { cpus: 1, memoryMiB: 128 };
  expect(given("-smp", size)).toEqual(["1"]);
  expect(given("-m", size)).toEqual(["128M"]);
  const most = { cpus: 4, memoryMiB: 8192 };
  expect(given("-smp", { ...size, most, accelerator: "kvm" })).toEqual(["1,maxcpus=4,cores=1,threads=1"]);
  expect(given("-append", { ...size, most, accelerator: "kvm" })[0]).not.toContain("maxcpus");
  // Emulated, all are there, and the guest begins with those that it is to have.
  expect(given("-smp", { ...size, most })).toEqual(["4,cores=1,threads=1"]);
  expect(given("-append", { ...size, most })[0]).toContain(" maxcpus=1 ");
  expect(given("-m", { ...size, most })).toEqual(["128M,slots=16,maxmem=8192M"]);
  expect(given("-append", { ...size, most })[0]).toContain("memhp_default_state=online swiotlb=noforce");
  expect(given("-smp", { cpus: 4, memoryMiB: 8192, most })).toEqual(["4"]);
  expect(given("-m", { cpus: 4, memoryMiB: 8192, most })).toEqual(["8192M"]);
});

test("the agent, the console and the control channel are descriptors", () => {
  expect(given("-chardev")).toEqual([
    "socket,id=qmp,fd=3",
    "file,id=console,path=/dev/fdset/1,append=on",
    "socket,id=agent,fd=4",
  ]);
  expect(given("-add-fd")).toEqual(["set=1,fd=5"]);
  expect(given("-device")).toEqual([
    "virtio-serial-pci,id=serial,ioeventfd=off",
    "virtserialport,bus=serial.0,chardev=agent,id=agent,name=runv.agent",
    balloon,
  ]);
});

test("a share, and commas in names", () => {
  expect(given("-fsdev")).toEqual([]);
  const share = { tag: "share", path: "/a,b" };
  expect(given("-fsdev", { share })).toEqual(["local,id=share,path=/a,,b,security_model=passthrough,multidevs=remap"]);
  expect(given("-device", { share }).at(-2)).toBe("virtio-9p-pci,fsdev=share,mount_tag=share,ioeventfd=off");
  expect(given("-name", { name: "x,y" })).toEqual(["x,,y"]);
});

test("a share over virtiofs, and memory that virtiofsd is given", () => {
  expect(given("-object")).toEqual([]);
  const virtiofs = { sharesMemory: true, share: { tag: "share" } };
  expect(given("-object", virtiofs)).toEqual(["memory-backend-memfd,id=memory,size=256M,share=on"]);
  expect(given("-machine", virtiofs)[0]).toContain(",memory-backend=memory");
  expect(given("-chardev", virtiofs).at(-1)).toBe("socket,id=share,fd=9");
  expect(given("-device", virtiofs).at(-2)).toBe("vhost-user-fs-pci,id=share,chardev=share,tag=share,queue-size=1024");
});

test("a clone's memory, which QEMU is told is shared where others serve its files", () => {
  const share = (change: Partial<QemuMachine>) => /share=(\w+)/.exec(given("-object", change)[0]!)![1];
  const memory = { path: "/memory", write: false };
  expect(share({ memory })).toBe("off");
  expect(share({ memory, sharesMemory: true })).toBe("on");
  expect(share({ memory: { ...memory, write: true } })).toBe("on");
});

test("pages are cleared where an emulated processor does not hear who else writes to them", () => {
  const clears = (change: Partial<QemuMachine>) => given("-append", change)[0]!.includes(" init_on_alloc=1 ");
  expect(clears({ accelerator: "tcg", sharesMemory: true })).toBeTrue();
  expect(clears({ accelerator: "tcg" })).toBeFalse();
  expect(clears({ accelerator: "kvm", sharesMemory: true })).toBeFalse();
});

test("memory that is given back, where QEMU can", () => {
  expect(given("-device").at(-1)).toBe(balloon);
  expect(given("-device", { version: [5, 0, 0] })).not.toContain(balloon);
});

test("QEMU may do little", () => {
  expect(given("-sandbox")).toEqual(["on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]);
});

test("a network interface: a tap by its descriptor, /dev/vhost-net where there is one, or QEMU's own network", () => {
  const nic = (backend: NonNullable<QemuMachine["nic"]>["backend"]) => ({
    nic: { id: "nic0", mac: "02:00:00:00:00:01", backend },
  });
  expect(given("-netdev")).toEqual([]);
  expect(given("-netdev", nic({ tap: 40 }))).toEqual(["tap,fd=6,id=nic0"]);
  expect(given("-netdev", nic({ tap: 40, vhost: true }))).toEqual(["tap,fd=6,vhost=on,vhostfd=7,id=nic0"]);
  expect(given("-netdev", nic("user"))).toEqual(["user,id=nic0"]);
  expect(given("-device", nic("user")).at(-2)).toBe(
    "virtio-net-pci,id=dev-nic0,netdev=nic0,mac=02:00:00:00:00:01,romfile=",
  );
});

test("guests of arm64: another machine, processor and console, and nothing that only a PC has", () => {
  const foreign = { architecture: "aarch64", most: { cpus: 4, memoryMiB: 8192 } } as const;
  expect(given("-machine", foreign)).toEqual(["virt,dump-guest-core=off,mem-merge=off,gic-version=3"]);
  expect(given("-machine", { ...foreign, accelerator: "kvm" })).toEqual([
    "virt,dump-guest-core=off,mem-merge=off,gic-version=host",
  ]);
  // KVM adds none to `virt`.
  expect(given("-smp", { ...foreign, accelerator: "kvm" })).toEqual(given("-smp", foreign));
  expect(given("-cpu", foreign)).toEqual(["neoverse-n1"]);
  expect(given("-cpu", { ...foreign, version: [6, 2, 0] })).toEqual(["cortex-a72"]);
  expect(given("-m", foreign)).toEqual(["256M"]);
  expect(given("-smp", foreign)).toEqual(["4,cores=1,threads=1"]);
  expect(given("-device", foreign).filter((device) => device!.startsWith("pcie-root-port")).length).toBe(5);
  // That which it begins with can be taken away, too.
  const nic = { id: "nic0", mac: "02:00:00:00:00:01", backend: "user" } as const;
  expect(given("-device", { ...foreign, nic })).toContain(
    "virtio-net-pci,id=dev-nic0,netdev=nic0,mac=02:00:00:00:00:01,romfile=,bus=port0",
  );
  const words = given("-append", foreign)[0]!.split(" ");
  expect(words).toContain("console=ttyAMA0");
  expect(words.filter((word) => /ttyS0|8250|tsc|no_timer_check|memhp|reboot/.test(word))).toEqual([]);
  expect(qemuArguments({ ...machine, ...foreign })).not.toContain("-no-hpet");
});
