/**
 * Numbers of the system calls that runv makes, here or in the guest: x86-64 (arch/x86/entry/syscalls/syscall_64.tbl)
 * and aarch64 (include/uapi/asm-generic/unistd.h). -1: the architecture has none.
 */
const numbers = {
  accept4: [288, 242],
  add_key: [248, 217],
  arch_prctl: [158, -1],
  bind: [49, 200],
  bpf: [321, 280],
  brk: [12, 214],
  capget: [125, 90],
  capset: [126, 91],
  chdir: [80, 49],
  chroot: [161, 51],
  clock_adjtime: [305, 266],
  clock_gettime: [228, 113],
  clock_nanosleep: [230, 115],
  clock_settime: [227, 112],
  clone: [56, 220],
  clone3: [435, 435],
  close: [3, 57],
  close_range: [436, 436],
  connect: [42, 203],
  delete_module: [176, 106],
  dup: [32, 23],
  dup3: [292, 24],
  epoll_create1: [291, 20],
  eventfd2: [290, 19],
  execve: [59, 221],
  execveat: [322, 281],
  exit_group: [231, 94],
  faccessat2: [439, 439],
  fallocate: [285, 47],
  fchdir: [81, 50],
  fchmod: [91, 52],
  fchmodat: [268, 53],
  fchown: [93, 55],
  fchownat: [260, 54],
  fcntl: [72, 25],
  fgetxattr: [193, 10],
  finit_module: [313, 273],
  flock: [73, 32],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fsopen: [430, 430],
  ftruncate: [77, 46],
  getcwd: [79, 17],
  getdents64: [217, 61],
  getpgid: [121, 155],
  getpid: [39, 172],
  getppid: [110, 173],
  getrandom: [318, 278],
  getsid: [124, 156],
  getsockname: [51, 204],
  getsockopt: [55, 209],
  init_module: [175, 105],
  inotify_add_watch: [254, 27],
  inotify_init1: [294, 26],
  ioctl: [16, 29],
  ioprio_set: [251, 30],
  keyctl: [250, 219],
  kcmp: [312, 272],
  kill: [62, 129],
  lgetxattr: [192, 9],
  linkat: [265, 37],
  listen: [50, 201],
  llistxattr: [195, 12],
  lseek: [8, 62],
  lsetxattr: [189, 6],
  madvise: [28, 233],
  memfd_create: [319, 279],
  mkdirat: [258, 34],
  mknodat: [259, 33],
  mmap: [9, 222],
  mount: [165, 40],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  mprotect: [10, 226],
  munmap: [11, 215],
  nanosleep: [35, 101],
  newfstatat: [262, 79],
  open_by_handle_at: [304, 265],
  open_tree: [428, 428],
  openat: [257, 56],
  openat2: [437, 437],
  personality: [135, 92],
  pidfd_getfd: [438, 438],
  pidfd_open: [434, 434],
  pidfd_send_signal: [424, 424],
  pipe2: [293, 59],
  pivot_root: [155, 41],
  poll: [7, -1],
  ppoll: [271, 73],
  pread64: [17, 67],
  prctl: [157, 167],
  prlimit64: [302, 261],
  process_madvise: [440, 440],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  ptrace: [101, 117],
  quotactl: [179, 60],
  pwrite64: [18, 68],
  read: [0, 63],
  readlinkat: [267, 78],
  reboot: [169, 142],
  recvfrom: [45, 207],
  recvmsg: [47, 212],
  renameat2: [316, 276],
  rseq: [334, 293],
  rt_sigaction: [13, 134],
  rt_sigprocmask: [14, 135],
  rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240],
  sched_getaffinity: [204, 123],
  sched_setaffinity: [203, 122],
  sched_setattr: [314, 274],
  sched_setscheduler: [144, 119],
  seccomp: [317, 277],
  sendfile: [40, 71],
  sendmsg: [46, 211],
  sendto: [44, 206],
  set_mempolicy: [238, 237],
  set_robust_list: [273, 99],
  set_tid_address: [218, 96],
  setdomainname: [171, 162],
  setfsuid: [122, 151],
  setgroups: [116, 159],
  sethostname: [170, 161],
  setns: [308, 268],
  setpgid: [109, 154],
  setpriority: [141, 140],
  setresgid: [119, 149],
  setresuid: [117, 147],
  setsid: [112, 157],
  setsockopt: [54, 208],
  setxattr: [188, 5],
  shutdown: [48, 210],
  signalfd4: [289, 74],
  socket: [41, 198],
  socketpair: [53, 199],
  statfs: [137, 43],
  statx: [332, 291],
  swapoff: [168, 225],
  symlinkat: [266, 36],
  sync: [162, 81],
  syncfs: [306, 267],
  sysinfo: [99, 179],
  tgkill: [234, 131],
  timerfd_create: [283, 85],
  tkill: [200, 130],
  truncate: [76, 45],
  umask: [95, 166],
  umount2: [166, 39],
  uname: [63, 160],
  unlinkat: [263, 35],
  unshare: [272, 97],
  utimensat: [280, 88],
  wait4: [61, 260],
  waitid: [247, 95],
  write: [1, 64],
} as const satisfies Record<string, readonly [x86_64: number, aarch64: number]>;

export type SyscallName = keyof typeof numbers;

/** Architectures that runv knows, by their names in uname(2). */
export type Architecture = "x86_64" | "aarch64";

/** The architecture of this machine, and of its guests unless they are told another. */
export const architecture: Architecture = process.arch === "arm64" ? "aarch64" : "x86_64";

/** Architectures by the words that people have for them: those of uname(2), and those of Go and so of images (`GOARCH`). */
export const architectureWords: Readonly<Record<string, Architecture>> = {
  amd64: "x86_64",
  x86_64: "x86_64",
  arm64: "aarch64",
  aarch64: "aarch64",
};

/** What images and distributions call an architecture. */
export function imageNameOf(architecture: Architecture): "amd64" | "arm64" {
  return architecture === "aarch64" ? "arm64" : "amd64";
}

/** The number of a system call on `on`, by default this machine's architecture. */
export function syscallNumber(name: SyscallName, on: Architecture = architecture): number {
  return numbers[name][on === "aarch64" ? 1 : 0];
}

/** The number by which another architecture knows a system call; -1 if it has none, or runv does not know it. */
export function numberElsewhere(number: number, from: Architecture, to: Architecture): number {
  return byNumber(number, from)?.[1][to === "aarch64" ? 1 : 0] ?? -1;
}

/** The name of a system call's number, for reading programs: `syscall 999` for an unknown one. */
export function syscallName(number: number, on: Architecture = architecture): string {
  return byNumber(number, on)?.[0] ?? `syscall ${number}`;
}

function byNumber(number: number, on: Architecture) {
  const column = on === "aarch64" ? 1 : 0;
  return Object.entries(numbers).find(([, row]) => row[column] === number);
}
