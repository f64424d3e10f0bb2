import { merkleSuite } from "./conformance/merkle.ts";
import { omsSuite } from "./conformance/oms.ts";
import { sigstoreSuite } from "./conformance/sigstore.ts";
import { tlogSuite } from "./conformance/tlog.ts";

// npm run conformance -- SUITE DIR [MORE]: runs the cases of a public suite that lie in a folder. stdout: a line for
// each failed case, then `N passed, N failed`. Exit 0 all passed, 1 some failed, 2 usage, 4 no cases to run.

/** One row a suite: its name, what its folder and a second argument are, and the code that runs it. */
const SUITES: Record<
  string,
  { about: string; run: (dir: string, more?: string) => Promise<{ passed: number; failed: string[] }> }
> = {
  tlog: {
    about: "a C2SP tile log: its folder, and its verifier key where it is not tessera's",
    run: tlogSuite,
  },
  merkle: { about: "RFC 6962 and subtree proofs (transparency-dev/merkle): a folder", run: merkleSuite },
  sigstore: {
    about: "bundles (sigstore/sigstore-conformance, bundle-verify): the folder of case folders",
    run: sigstoreSuite,
  },
  oms: { about: "model signatures (ossf/model-signing-spec): a folder of bundles", run: omsSuite },
};

const [name = "", dir, more, ...rest] = process.argv.slice(2);
const suite = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined;
if (suite === undefined || dir === undefined || rest.length > 0) {
  const rows = Object.entries(SUITES).map(([key, { about }]) => `  ${key.padEnd(20)} ${about}\n`);
  process.stderr.write(`usage: npm run conformance -- SUITE DIR [MORE]\n\n${rows.join("")}`);
  process.exitCode = 2;
} else {
  try {
    const { passed, failed } = await suite.run(dir, more);
    for (const line of failed) console.log(line);
    console.log(`${passed} passed, ${failed.length} failed`);
    if (failed.length > 0) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 4;
  }
}
