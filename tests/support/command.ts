/** Running the machine's own programs in tests. */

/** Runs a program that must succeed; what it wrote is in the error if it does not. */
export async function command(...words: string[]): Promise<void> {
  await output(...words);
}

/** The same, returning its standard output. */
export async function output(...words: string[]): Promise<string> {
  const child = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if (code !== 0) throw new Error(`${words.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  return stdout;
}
