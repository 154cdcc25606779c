/** The executable's first file: the command line in, the exit code out. */

import { dispatch } from "./dispatch";
import { report } from "./failure";

process.exit(await dispatch(process.argv.slice(2)).catch(report));
