/** Copies of this project, to build another runv in. */
import { join } from "node:path";
import { output } from "./command";

const project = join(import.meta.dir, "../..");

const script = `
cd "$1"
mkdir -p "$2/dist"
tar --exclude=./dist --exclude=./node_modules --exclude=./.git -c . | tar -x -C "$2"
cp -p dist/{init,preload.so}{,.inputs} "$2/dist"
ln -s "$(readlink -f node_modules)" "$2/node_modules"`;

/** Copies its sources, and of what was built all but runv itself. */
export async function copyProject(to: string): Promise<void> {
  await output("bash", "-euo", "pipefail", "-c", script, "copy", project, to);
}
