/** What `runv check` says of templates: what could not be made of late, and from which of them nothing can be forked. */
import type { TemplateSettings } from "../../base/settings";
import type { Finding } from "../../hypervisor/driver";
import { templateProblems } from "./template-problem";
import { readProblem } from "./template-process";
import { TemplateStore } from "./template-store";

/** @param settings undefined where none are wanted */
export function checkProblems(settings: TemplateSettings | undefined): Finding[] {
  if (settings === undefined) return [];
  const { directory, budgetMiB } = settings;
  const unmade = templateProblems(directory).map(
    ({ key, problem }): Finding => ({
      status: "warning",
      subject: "template",
      detail: `${key} could not be made, its machines boot: ${problem}`,
      fix: "runv template build, when the cause is gone",
    }),
  );
  const unforked = new TemplateStore(directory, budgetMiB).list().flatMap(({ key }): Finding[] => {
    const problem = readProblem(`${directory}/${key}`);
    if (problem === undefined) return [];
    return [
      { status: "warning", subject: "template", detail: `${key} is cloned from its files, not forked: ${problem}` },
    ];
  });
  return [...unmade, ...unforked];
}
