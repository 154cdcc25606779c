/** A monitor that is started before it is known what it is to be for: most of its start is the executable's own. */
import { closeSync, existsSync } from "node:fs";
import type { GlobalOptions } from "../base/settings";
import type { Background } from "./background";
import { poolSettings } from "./settings";
import { startMonitor } from "./start-monitor";

/** A monitor that is started while nobody knows yet whether it is needed. */
export class EarlyMonitor {
  #background: Background | undefined = startMonitor();

  /** @returns it, to be given its task; undefined when somebody has it already */
  take(): Background | undefined {
    const background = this.#background;
    this.#background = undefined;
    return background;
  }

  /** Ends it, unless somebody has taken it. */
  dismiss(): void {
    const background = this.take();
    if (background === undefined) return;
    background.process.kill("SIGKILL");
    closeSync(background.socket);
  }
}

/** Of the path of a namespace that somebody else has: a container of a pod's may have no machine of its own. */
const joins = /"path"\s*:\s*"[^"]*\/(?:ns|netns)\//;

/**
 * Starts a monitor before the command's own code is loaded, where the container will most likely need one. It runs meanwhile, on another processor, and who needs it
 * first waits for it.
 * @param config the text of its config.json; undefined when there is none
 */
export function startEarly(global: GlobalOptions, config: string | undefined): EarlyMonitor | undefined {
  if (config === undefined || joins.test(config) || existsSync(poolSettings(global).directory)) return undefined;
  return new EarlyMonitor();
}
