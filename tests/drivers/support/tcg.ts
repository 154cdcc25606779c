import type { DriverUnderTest } from "./driver";

/** QEMU without hardware: it works everywhere. */
export const tcg: DriverUnderTest = { name: "tcg" };
