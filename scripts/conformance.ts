import { merkleSuite } from "./conformance/merkle.ts";

// npm run conformance -- SUITE DIR: runs the cases of a public suite that lie in a folder. stdout: a line for
// each failed case, then `N passed, N failed`. Exit 0 all passed, 1 some failed, 2 usage, 4 no cases to run.

/** One row a suite: its name, what its folder is, and the code that runs it. */
const SUITES: Record<
  string,
  { about: string; run: (dir: string) => Promise<{ passed: number; failed: string[] }> }
> = {
  merkle: { about: "RFC 6962 and subtree proofs (transparency-dev/merkle): a folder", run: merkleSuite },
};

const [name = "", dir, ...rest] = process.argv.slice(2);
const suite = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined;
if (suite === undefined || dir === undefined || rest.length > 0) {
  const rows = Object.entries(SUITES).map(([key, { about }]) => `  ${key.padEnd(20)} ${about}\n`);
  process.stderr.write(`usage: npm run conformance -- SUITE DIR\n\n${rows.join("")}`);
  process.exitCode = 2;
} else {
  try {
    const { passed, failed } = await suite.run(dir);
    for (const line of failed) console.log(line);
    console.log(`${passed} passed, ${failed.length} failed`);
    if (failed.length > 0) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 4;
  }
}
