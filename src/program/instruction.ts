/** The instruction set of `docs/guest-protocol.md`, as numbers. */

export const Op = {
  end: 0,
  syscall: 1,
  jump: 2,
  store: 3,
  load: 4,
  stop: 5,
  give: 6,
  output: 7,
  fail: 8,
  add: 9,
  decimal: 10,
  succeed: 11,
} as const;

export const Kind = { number: 0, register: 1, address: 2, pidfd: 3 } as const;

/** How `jump` compares, signed. */
export const Comparison = { always: 0, "=": 1, "≠": 2, "<": 3, "≥": 4 } as const;
export type Comparison = keyof typeof Comparison;

/** Bits of the head's field `stdio`. */
export const Stdio = { stdin: 1, stdout: 2, stderr: 4, terminal: 8 } as const;

export const headSize = 40;
export const instructionSize = 64;
export const noRegister = 255;
export const anyErrno = 255;
/** The bounds that the guest sets, in bytes. */
export const maxProgram = 16 << 20;
export const maxMemory = 16 << 20;
