/** The executable's first file: the command line in, the exit code out. */
import { report } from "./failure";
import { run } from "./run";

process.exit(await run(process.argv.slice(2)).catch(report));
