/** The checkpoints of a container, as containerd 0.2 kept them: a directory each, below the bundle's `checkpoints` unless another one is named. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileProblem } from "../base/file-problem";
import { isObject } from "../base/is-object";
import type { GlobalOptions } from "../base/settings";
import { checkpointContainer } from "../container/checkpoint";
import { assertEmptyNamespaces, noConnections, refuse } from "../container/image/refused";
import type { Answer, Request } from "./api/service";
import type { DaemonContainer } from "./container";
import { Refusal } from "./refusal";

/** What says, in a checkpoint's directory, how it was asked for. */
const wishFile = "config.json";

type Wish = NonNullable<Request<"CreateCheckpoint">["checkpoint"]>;

/** Where a checkpoint is. @param directory empty for the bundle's own @throws Refusal for what is no name */
export function checkpointPath(bundle: string, directory: string, name: string): string {
  if (name === "") throw new Refusal("checkpoint name cannot be empty");
  if (name.includes("/") || name === "." || name === "..") throw new Refusal(`invalid checkpoint name ${name}`);
  return join(directoryOf(bundle, directory), name);
}

/** Makes a checkpoint. Nothing is left of it when that fails. @throws Refusal; RunvError */
export async function createCheckpoint(
  global: GlobalOptions,
  { id, init }: DaemonContainer,
  { checkpoint, checkpointDir }: Pick<Request<"CreateCheckpoint">, "checkpoint" | "checkpointDir">,
): Promise<void> {
  const wish: Partial<Wish> = checkpoint ?? {};
  const { name = "", exit = false, tcp = false, unixSockets = false, shell = false, emptyNS = [] } = wish;
  const path = checkpointPath(init.container.bundle, checkpointDir, name);
  if (tcp) throw refuse("tcp", noConnections);
  assertEmptyNamespaces("emptyNS", emptyNS);
  try {
    mkdirSync(directoryOf(init.container.bundle, checkpointDir), { recursive: true, mode: 0o755 });
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    throw new Refusal(`mkdir ${path}: ${fileProblem(error)}`);
  }
  try {
    const created = new Date().toISOString();
    writeFileSync(join(path, wishFile), JSON.stringify({ created, name, tcp, unixSockets, shell, exit, emptyNS }));
    await checkpointContainer({ global, id, image: path, leaveRunning: !exit });
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    throw error;
  }
}

/** The checkpoints that there are. @throws Refusal for one that cannot be read */
export function listCheckpoints(bundle: string, directory: string): Answer<"ListCheckpoint"> {
  const all = directoryOf(bundle, directory);
  if (!existsSync(all)) return { checkpoints: [] };
  const names = readdirSync(all, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return { checkpoints: names.map(({ name }) => readWish(join(all, name))) };
}

/** Removes one, if it is there. @throws Refusal */
export function deleteCheckpoint(bundle: string, directory: string, name: string): void {
  const path = checkpointPath(bundle, directory, name);
  if (existsSync(join(path, wishFile))) rmSync(path, { recursive: true });
}

function directoryOf(bundle: string, directory: string): string {
  return directory === "" ? join(bundle, "checkpoints") : resolve(directory);
}

function readWish(path: string) {
  const file = join(path, wishFile);
  let wish: unknown;
  try {
    wish = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Refusal(`open ${file}: ${fileProblem(error)}`);
  }
  const { name, tcp, unixSockets, shell } = isObject(wish) ? wish : {};
  return { name: String(name), tcp: tcp === true, unixSockets: unixSockets === true, shell: shell === true };
}
