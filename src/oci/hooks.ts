/** hooks: config.md, "POSIX-platform Hooks". */
import { type Infer, list, object, optional } from "./reader";
import { absolutePath, integer, strings } from "./scalars";

const hook = object({
  path: absolutePath,
  /** As execve(2) takes them: the first is argv[0]. */
  args: optional(strings),
  env: optional(strings),
  /** Seconds until the hook is killed. */
  timeout: optional(integer(1, 0x7fff_ffff)),
});

export interface Hook extends Infer<typeof hook> {}

export const hooks = object({
  /** In the runtime's namespaces, after create; deprecated, and what Docker's network hangs on. */
  prestart: list(hook),
  /** In the runtime's namespaces, after create. */
  createRuntime: list(hook),
  /** In the container's namespaces, before its root becomes /. */
  createContainer: list(hook),
  /** In the container, right before its process begins. */
  startContainer: list(hook),
  /** In the runtime's namespaces, after start. */
  poststart: list(hook),
  /** In the runtime's namespaces, after delete. */
  poststop: list(hook),
});

export interface Hooks extends Infer<typeof hooks> {}

export type HookName = keyof Hooks;

export const hookNames = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const satisfies HookName[];
