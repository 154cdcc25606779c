/** `runv check` */
import { hostDriver } from "../base/host-driver";
import { print } from "../base/output";
import { chosenDriver } from "./by-driver";
import { command } from "./command";
import { bool } from "./flags";

export const check = command({
  name: "check",
  summary: "check what this machine offers and what is missing",
  usage: "",
  description: `Looks at the host, the hypervisor, the kernel and the initrd, and starts a machine for a moment.
   With --driver host it starts none, but a process in namespaces of its own.
   Prints one line for each thing: ok, warning or missing, and the command that mends it.
   The exit code is 1 when something that is needed is missing.`,
  flags: { json: bool("print the findings as JSON") },
  args: [0, 0],
  async run({ flags, global }) {
    if (chosenDriver(global) === hostDriver) {
      const [{ checkOnHost }, { checkFails, formatCheck }] = await Promise.all([
        import("../container/host/check"),
        import("../hypervisor/check"),
      ]);
      const found = checkOnHost();
      print(flags.json ? `${JSON.stringify(found, null, 2)}\n` : formatCheck(found));
      return checkFails(found) ? 1 : 0;
    }
    const [{ check, checkFails, formatCheck }, { settings }, { checkTemplates }, { checkProblems }] = await Promise.all(
      [
        import("../hypervisor/check"),
        import("../sandbox/settings"),
        import("../sandbox/template/template-room"),
        import("../sandbox/template/check-problems"),
      ],
    );
    const wanted = settings(global);
    const findings = [
      ...(await check(wanted)),
      ...checkTemplates(wanted.templates, wanted.defaultMemory),
      ...checkProblems(wanted.templates),
    ];
    print(flags.json ? `${JSON.stringify(findings, null, 2)}\n` : formatCheck(findings));
    return checkFails(findings) ? 1 : 0;
  },
});
