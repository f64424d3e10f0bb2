import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Json } from "../core/canonical-json.ts";
import { addLogEntry, makeKeyBundle, parseBundle } from "../sign/bundle.ts";
import { issue } from "../sign/private-sigstore.test.ts";
import { parseTrustedRoot } from "../sign/trusted-root.ts";
import { verifyBundle } from "../sign/verify-bundle.ts";
import { parseEntry } from "./entry.ts";
import { fsckJournal } from "./fsck.ts";
import { openJournal } from "./journal.ts";
import { TestMaker, testHome, testStatement } from "./test-maker.test.ts";

test("a bundle with our log entry verifies under the trusted root that the journal writes, log demanded", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  const journal = await openJournal(home, { create: { origin: "log.example.org" } });
  await journal.append(maker.statement("before"));
  const bundle = parseBundle(makeKeyBundle(testStatement("logged").toString(), maker.privateKey));
  assert.ok(!("problem" in bundle) && bundle.content.kind === "dsse");
  const { tlogEntry, index } = await journal.append({
    envelope: bundle.content.envelope,
    publicKey: maker.publicKey,
  });
  await journal.close();
  const root = parseTrustedRoot(
    JSON.parse(readFileSync(join(journal.folder, "trusted_root.json"), "utf8")) as Json,
  );
  assert.ok(!("problem" in root));
  const authority = { roots: [{ name: "journal", root }], findKey: () => maker.publicKey, requireLog: true };
  const without = verifyBundle(bundle, authority);
  assert.ok("problem" in without);
  const logged = parseBundle(addLogEntry(bundle, tlogEntry));
  assert.ok(!("problem" in logged));
  const established = verifyBundle(logged, authority);
  assert.ok(!("problem" in established), JSON.stringify(established));
  assert.deepEqual(
    established.logged.map(({ origin, index: at }) => [origin, at]),
    [["log.example.org", index]],
  );
});

test("a statement signed by a certificate's key is logged with the certificate", async (t) => {
  const home = testHome(t);
  const issued = issue({ subject: "maker" });
  const journal = await openJournal(home, { create: {} });
  const { envelope } = new TestMaker(issued).statement("certified");
  const { index } = await journal.append({ envelope, certificate: issued.der });
  await journal.close();
  const entry = parseEntry(journal.reader.body(index, 1).toString());
  assert.ok(!("problem" in entry));
  assert.deepEqual(entry.verifier, { kind: "x509Certificate", der: issued.der });
  const report = await fsckJournal(journal.folder);
  assert.deepEqual([report.found, report.verified], [0, 1]);
});
