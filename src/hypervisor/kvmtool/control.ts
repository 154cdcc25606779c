/** lkvm's control socket: messages of a type and a length, in the order of this host's bytes (kvm-ipc.c). */
import { join } from "node:path";
import { messageOf, RunvError } from "../../base/error";

/** include/kvm/kvm-ipc.h */
const PAUSE = 4;
const RESUME = 5;
const VMSTATE = 8;
/** include/kvm/kvm.h: KVM_VMSTATE_RUNNING, KVM_VMSTATE_PAUSED */
const states = ["running", "paused"] as const;
export type State = (typeof states)[number];

const timeoutMs = 60_000;

/** Where lkvm puts the socket of a machine. @param home its HOME */
export function controlSocket(home: string, name: string): string {
  return join(home, ".lkvm", `${name}.sock`);
}

/** Stops or continues the virtual processors, and waits until that is done. @throws RunvError VM_LKVM_CONTROL */
export async function setState(path: string, wanted: State): Promise<void> {
  const state = await ask(path, [wanted === "paused" ? PAUSE : RESUME, VMSTATE]);
  if (state !== wanted) throw failed(`it is ${state} and should be ${wanted}`);
}

/** @throws RunvError VM_LKVM_CONTROL */
export function readState(path: string): Promise<State> {
  return ask(path, [VMSTATE]);
}

/** Sends messages, which lkvm does one after the other, and waits for the answer to the last one, the machine's state. */
async function ask(path: string, types: readonly number[]): Promise<State> {
  const { promise, resolve, reject } = Promise.withResolvers<State>();
  const said: number[] = [];
  const socket = await Bun.connect({
    unix: path,
    socket: {
      open: (socket) => void socket.write(new Uint8Array(Uint32Array.from(types.flatMap((type) => [type, 0])).buffer)),
      data: (_, bytes) => {
        said.push(...bytes);
        if (said.length < 4) return;
        const state = states[new DataView(Uint8Array.from(said).buffer).getUint32(0, true)];
        if (state === undefined) reject(failed("it answers what is none of its states"));
        else resolve(state);
      },
      close: () => reject(failed("it has closed the connection")),
    },
  }).catch((error) => {
    throw failed(messageOf(error));
  });
  const timer = setTimeout(() => reject(failed(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.end();
  }
}

function failed(why: string): RunvError {
  return new RunvError("VM_LKVM_CONTROL", `lkvm's control socket: ${why}`);
}
