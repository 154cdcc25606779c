/** The executable's first file: the command line in, the exit code out. */

import { calledAs } from "../base/version";
import { dispatch } from "./dispatch";
import { report } from "./failure";

process.exit(await dispatch([...calledAs, ...process.argv.slice(2)]).catch(report));
