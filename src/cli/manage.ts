/** `runv manage create-template|remove-template`, as runV 1.0 had them. */
import { command } from "./command";
import { usage } from "./parse";
import { build, openTemplates } from "./template";

export const manage = command({
  name: "manage",
  summary: "manage the templates of VMs",
  usage: `create-template | remove-template

Of runV 1.0: create-template makes the template for a container without limits, in the
directory of the global option --template; remove-template removes all that are there.
'runv template' can do more.`,
  words: ["create-template", "remove-template"],
  flags: {},
  args: [1, 1],
  hidden: true,
  async run({ args: [word], global }) {
    if (word === "create-template") await build(global, { network: "new" });
    else if (word === "remove-template") {
      const store = await openTemplates(global);
      for (const { key } of store.list()) store.drop(key);
    } else throw usage(`No help topic for 'manage ${word}'`);
    return 0;
  },
});
