import { RunvError } from "../../base/error";
import type { TemplateSettings } from "../../base/settings";
import { chooseDriver } from "../../hypervisor";
import { unsupported } from "../../hypervisor/capabilities";
import type { Machine } from "../../hypervisor/driver";
import { CLONE_NEWNET } from "../../linux/constants";
import { syscall } from "../../linux/local";
import { Networks } from "../../network/networks";
import { Share } from "../../share/share";
import { planBoot } from "../boot";
import type { LaunchRequest } from "../messages";
import { makeSandbox, newSandbox, removeSandbox, sandboxDirectory } from "../paths";
import { save, shapeOf } from "./template";
import { TemplateStore } from "./template-store";

/**
 * Makes the template for a shape of machine, if there is none that is good. While somebody else makes one it waits, for this process
 * has nothing else to do; it is in namespaces of its own afterwards.
 * @param root where sandboxes are
 * @returns its key, and whether it had to be made
 * @throws RunvError VM_…, IMAGE_…, UNSUPPORTED
 */
export async function buildTemplate(
  root: string,
  request: Omit<LaunchRequest, "op" | "templates">,
  { directory, budgetMiB }: TemplateSettings,
): Promise<{ key: string; made: boolean }> {
  const driver = await chooseDriver(request.driver, request.driverOptions);
  if (!driver.capabilities.template) throw unsupported(driver.name, "template");
  const sandbox = sandboxDirectory(root, newSandbox());
  makeSandbox(sandbox);
  const share = new Share(`${sandbox}/share`);
  if (request.network === "new") syscall("unshare", CLONE_NEWNET);
  const network = new Networks(request.network, driver.nics);
  const late: { machine?: Machine } = {};
  const started = (machine: Machine) => {
    late.machine = machine;
  };
  try {
    const handlers = { started, frame() {}, close() {} };
    const { plan, manifest } = await planBoot(request, driver, network.firstNic(), sandbox, handlers);
    const shape = await shapeOf(plan, manifest);
    const { template, made } = await new TemplateStore(directory, budgetMiB).makeInTurn(shape, (files) =>
      save(plan, files),
    );
    if (template !== undefined) return { key: shape.key, made };
    throw new RunvError("VM_SAVE", `the template ${shape.key} was changed while it was made`);
  } finally {
    await late.machine?.kill();
    network.close();
    share.close();
    removeSandbox(sandbox);
  }
}
