/** The executable's first file: the command line in, the exit code out. */

import { commandLine } from "../base/own-command";
import { dispatch } from "./dispatch";
import { report } from "./failure";

process.exit(await dispatch(commandLine()).catch(report));
