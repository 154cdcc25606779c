/** Frames of the guest protocol (`docs/guest-protocol.md`), which the monitor's control socket speaks too. */

export const FrameType = {
  data: 1,
  eof: 2,
  credit: 3,
  run: 16,
  go: 17,
  signal: 18,
  resize: 19,
  hello: 32,
  started: 33,
  output: 34,
  stopped: 35,
  done: 36,
  failed: 37,
  execed: 38,
  exit: 39,
  closed: 40,
  refused: 41,
} as const;

/** The version of the guest protocol. */
export const protocolVersion = 2;

export const frameHeaderSize = 16;
/** Most bytes of a payload, to the guest and from it. */
export const maxToGuest = 16 << 20;
export const maxFromGuest = 64 << 10;
/** What the guest grants on stdin when a process starts. */
export const stdinWindow = 64 << 10;

export interface Frame {
  /** The handle of a process; 0 for the guest itself. */
  process: number;
  /** One of `FrameType`, when it comes from a peer that keeps to the protocol. */
  type: number;
  /** 0 stdin, 1 stdout, 2 stderr. */
  stream: number;
  payload: Uint8Array;
}

/** The bytes of a frame. */
export function encodeFrame(
  type: number,
  process: number,
  payload: Uint8Array = new Uint8Array(),
  stream = 0,
): Uint8Array {
  const bytes = new Uint8Array(frameHeaderSize + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length, true);
  view.setUint32(4, process, true);
  bytes[8] = type;
  bytes[9] = stream;
  bytes.set(payload, frameHeaderSize);
  return bytes;
}

/** The payload of the frames that carry numbers: each as a little-endian u32. */
export function encodeU32(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true);
  return bytes;
}

/** Number `index` of such a payload; undefined when the payload is too short for it. */
export function decodeU32(payload: Uint8Array, index = 0): number | undefined {
  if (payload.length < 4 * index + 4) return undefined;
  return new DataView(payload.buffer, payload.byteOffset, payload.length).getUint32(4 * index, true);
}
