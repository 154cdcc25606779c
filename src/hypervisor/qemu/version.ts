/** A version as QEMU says it: major, minor, micro. */
export type QemuVersion = readonly [major: number, minor: number, micro: number];

/** The oldest version that is supported. */
export const oldest = "5.0";

/** Reads the first line of `qemu-system-… --version`. @returns undefined if it is none of QEMU */
export function parseVersion(text: string): QemuVersion | undefined {
  const match = /^QEMU emulator version (\d+)\.(\d+)(?:\.(\d+))?/m.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

/** Whether a version is `wanted`, as "7.2", or later. */
export function atLeast(version: QemuVersion, wanted: string): boolean {
  const parts = wanted.split(".").map(Number);
  for (const [index, have] of version.entries()) {
    const want = parts[index] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}

export function formatVersion(version: QemuVersion): string {
  return version.join(".");
}
