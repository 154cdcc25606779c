/** `runv features` */
import { hostDriver } from "../base/host-driver";
import { print } from "../base/output";
import { chosenDriver } from "./by-driver";
import { command } from "./command";

export const features = command({
  name: "features",
  summary: "show the enabled features",
  usage: "",
  description: `Show the enabled features.
   The result is parsable as a JSON.
   See https://github.com/opencontainers/runtime-spec/blob/main/features.md for the type definition.`,
  flags: {},
  args: [0, 0],
  async run({ global }) {
    const [{ formatFeatures }, { featureAnnotations }] = await Promise.all([
      import("../oci/features"),
      import("../hypervisor/capabilities"),
    ]);
    const onHost = chosenDriver(global) === hostDriver;
    print(`${formatFeatures({ ...featureAnnotations(), "org.hyper.runv.driver.host": "" }, { apparmor: onHost })}\n`);
    return 0;
  },
});
